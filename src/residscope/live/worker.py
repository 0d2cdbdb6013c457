"""One thread, versions, progress, cancel: the newest job of a kind wins. Knows nothing of models or widgets.

Locks are taken in this order, and one thread never takes them the other way round:

1. `Feed.lock`: an experiment's question, its history and which run is the newest.
2. `Worker._changed`: which jobs wait. No thread computes or calls other code while holding it.
3. `Runs`' own and `Memory`'s: each number of a run is computed once.
4. `Twin.lock`: one forward at a time on a model; the tokenizer has its own lock, taken alone.
5. `Widget._lock`: the traits of one widget; observers are called when it is free again.

Views of arrays have no worker; `Fixed` does their jobs one at a time, and its lock comes before all others. The locks
of `twin_of` and of the tokenizer's copy each guard a look-up, and no other lock is taken inside them.
"""

import atexit
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum
from types import TracebackType
from typing import Any

Report = Callable[["Ticket"], None]
"""Called with a running job at most ten times a second, and once more when it has ended."""

Job = Callable[["Ticket"], Iterator[Any] | None]
"""The work to do: a generator function, or a plain function that runs in one go.

A job yields only between forwards, never while it holds the twin, a hook or a gradient mode.
"""

Around = Callable[[], AbstractContextManager[None]]
"""Returns a context manager around each turn of a job."""

REPORT_EVERY = 0.1

CLOSED = "this experiment is closed: make a new one"


class Priority(IntEnum):
    """Which job goes first; if equal, the older one."""

    RUN = 0
    CLICK = 1
    FIRST = 2
    """What a view shows first; for the lens, the column where the target is read."""
    SCREEN = 3
    """What is on screen."""
    REST = 4
    SWEEP = 5
    STILL = 6
    """Still pictures, which show what the other jobs have computed."""


class Cancelled(Exception):
    """A job was cancelled, or a newer one of its kind has replaced it."""


class Replaced(Cancelled):
    """A newer job of its kind has replaced it and will report its end."""


class Ticket:
    """One job: its version, whether it should go on, how far it is, and how it ended.

    Attributes:
        version: higher for later jobs.
        kind: a newer job of the same kind replaces this one.
        priority: the job may change its own, and then yield.
        about: what its reporter needs to know about it.
        progress: (label, done, total), or None before the first step and when it has ended.
        partial: the job's last yield.
        error: what it raised, once it is done; `Cancelled` where it was stopped.
    """

    def __init__(
        self, version: int, kind: str, job: Job, priority: Priority, report: Report, about: Mapping[str, Any]
    ) -> None:
        self.version = version
        self.kind = kind
        self.priority = priority
        self.about = about
        self.progress: tuple[str, int, int] | None = None
        self.partial: Any = None
        self.error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._job: Job | None = job
        self._rest: Iterator[Any] | None = None
        self._report = report
        self._stopped: type[Cancelled] | None = None
        self._done = threading.Event()
        self._first = threading.Event()
        self._reported = time.monotonic()

    @property
    def done(self) -> bool:
        """Tell whether the job has ended, however it did."""
        return self._done.is_set()

    @property
    def stopped(self) -> bool:
        """Tell whether the job was asked to stop."""
        return self._stopped is not None

    def stop(self, why: type[Cancelled] = Cancelled) -> None:
        """Ask the job to stop at its next step."""
        self._stopped = self._stopped or why

    def check(self) -> None:
        """Raise `Cancelled` when the job should stop; jobs call this between steps."""
        if self._stopped is not None:
            raise self._stopped

    def step(self, label: str, done: int, total: int) -> None:
        """Check, and report the job's progress."""
        self.check()
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY:
            self._reported, self.progress = now, (label, done, total)
            self._report(self)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the job; a keyboard interrupt ends the wait."""
        return self._done.wait(timeout)

    def wait_for_partial(self, timeout: float | None = None) -> bool:
        """Wait until the job has yielded, or ended."""
        return self._first.wait(timeout)

    def raise_error(self) -> None:
        """Raise the job's error, if any; several callers may wait for one job, and each gets the original traceback."""
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)

    def turn(self, around: Around = nullcontext) -> None:
        """Run the job to its next yield, or to its end."""
        try:
            self.check()
            # Inside the try, so that a failure here fails the job and not the thread.
            with around():
                if self._job is not None:
                    job, self._job = self._job, None
                    self._rest = job(self)
                if self._rest is not None:
                    self.partial = next(self._rest)
                    self._first.set()
                    return
        except StopIteration:
            pass
        except Cancelled as error:
            # The traceback is not shown, and its frames would keep everything alive that they hold.
            self.error = error.with_traceback(None)
        except BaseException as error:  # noqa: BLE001 - kept for whoever waits for the job
            self.error, self._traceback = error, error.__traceback__
        self._end()

    def _end(self) -> None:
        rest, self._rest, self._job, self.progress = self._rest, None, None, None
        try:
            # A job stopped between two turns runs its `finally` blocks now.
            if isinstance(rest, Generator):
                rest.close()
            self._report(self)
        except BaseException as error:  # noqa: BLE001 - as above
            self.error = self.error or error
        finally:
            self._first.set()
            self._done.set()


class Worker:
    """A daemon thread with one job per kind; a newer job of a kind stops and replaces the older one.

    Whenever a job yields, the most urgent waiting job continues.

    Args:
        name: the thread's name.
        report: called with the progress of jobs.
        around: a context manager around each turn of a job.
    """

    def __init__(self, name: str, report: Report, around: Around = nullcontext) -> None:
        self._report, self._around = report, around
        self._versions = itertools.count(1)
        self._waiting: dict[str, Ticket] = {}
        self._ending: list[Ticket] = []
        self._running: Ticket | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        try:
            self._thread.start()
            _ALIVE.add(self)
        except BaseException:
            self.close()
            raise

    def submit(
        self,
        kind: str,
        job: Job,
        priority: Priority = Priority.CLICK,
        *,
        replaces: Callable[[str], bool] = lambda _kind: False,
        about: Mapping[str, Any] | None = None,
    ) -> Ticket:
        """Hand over a job; unfinished older ones of its kind, and of the kinds it replaces, are stopped.

        Args:
            kind: the name of such jobs.
            job: what to do.
            priority: which waiting job goes first.
            replaces: returns which other kinds to stop.
            about: what the reporter needs to know about it.

        Raises:
            RuntimeError: when the worker is closed.
        """
        with self._changed:
            if self._closed:
                raise RuntimeError(CLOSED)
            self._stop(lambda ticket: ticket.kind == kind or replaces(ticket.kind), Replaced)
            ticket = Ticket(next(self._versions), kind, job, priority, self._report, about or {})
            self._waiting[kind] = ticket
            self._changed.notify()
            return ticket

    def cancel(self, version: int | None = None) -> None:
        """Stop one job, or all, running and waiting."""
        with self._changed:
            self._stop(lambda ticket: version is None or ticket.version == version, Cancelled)
            self._changed.notify()

    @property
    def closed(self) -> bool:
        """Tell whether the thread has been told to end."""
        return self._closed

    def is_current_thread(self) -> bool:
        """Tell whether the caller is the worker itself, which must never wait for its own jobs."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Stop all jobs and end the thread."""
        with self._changed:
            self._closed = True
            self._stop(lambda _ticket: True, Cancelled)
            self._changed.notify()

    def _stop(self, which: Callable[[Ticket], bool], why: type[Cancelled]) -> None:
        for ticket in [one for one in self._waiting.values() if which(one)]:
            del self._waiting[ticket.kind]
            ticket.stop(why)
            self._ending.append(ticket)  # it ends on the worker's thread, outside this lock
        if self._running is not None and which(self._running):
            self._running.stop(why)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ending or self._waiting or self._closed)
                if self._ending:
                    ticket = self._ending.pop()
                elif self._closed:
                    return
                else:
                    ticket = min(self._waiting.values(), key=lambda one: (one.priority, one.version))
                    self._running = self._waiting.pop(ticket.kind)
            ticket.turn(self._around)
            with self._changed:
                self._running = None
                if not ticket.done and ticket.stopped:
                    self._ending.append(ticket)
                elif not ticket.done:
                    self._waiting[ticket.kind] = ticket
            # Otherwise this thread would keep the last job alive, and all that its error's frames hold.
            del ticket


_ALIVE: "weakref.WeakSet[Worker]" = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End every thread before Python does: ending one in the middle of torch would abort the program.

    It waits for a step however long that takes, as concurrent.futures does.
    """
    alive = list(_ALIVE)
    for worker in alive:
        worker.close()
    for worker in alive:
        worker._thread.join()
