"""One thread, versions, progress, cancel: the newest job of a kind wins. Knows nothing of models or widgets."""

import atexit
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType

Report = Callable[[str, int, int], None]
"""Told (label, done, total) while a job goes on, at most ten times a second."""

REPORT_EVERY = 0.1

CLOSED = "this experiment is closed: make a new one"


class Cancelled(Exception):
    """A job was cancelled, or a newer one of its kind has come."""


class Replaced(Cancelled):
    """A newer job of its kind has come, which will tell how it ends."""


class Ticket:
    """One job: its version, whether it should go on, and how it ended.

    Attributes:
        version: higher for later jobs.
        error: what it raised, once it is done; `Cancelled` where it was stopped.
    """

    def __init__(self, version: int, job: Callable[["Ticket"], None], report: Report) -> None:
        self.version = version
        self.error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._job = job
        self._report = report
        self._stopped: type[Cancelled] | None = None
        self._done = threading.Event()
        self._reported = time.monotonic()

    @property
    def done(self) -> bool:
        """Tell whether the job has ended, in whatever way."""
        return self._done.is_set()

    def stop(self, why: type[Cancelled] = Cancelled) -> None:
        """Ask the job to stop at its next step."""
        self._stopped = self._stopped or why

    def check(self) -> None:
        """Raise `Cancelled` when the job should stop; jobs call this between steps."""
        if self._stopped is not None:
            raise self._stopped

    def step(self, label: str, done: int, total: int) -> None:
        """Check, and report how far the job is."""
        self.check()
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY:
            self._reported = now
            self._report(label, done, total)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the job; a keyboard interrupt gets through."""
        return self._done.wait(timeout)

    def raise_error(self) -> None:
        """Raise what the job raised, if anything; many may wait for one job, and each starts from its traceback."""
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)

    def run(self) -> None:
        """Do the job, on the worker's thread."""
        try:
            self.check()
            self._job(self)
        except BaseException as error:  # noqa: BLE001 - kept for whoever waits for the job
            self.error, self._traceback = error, error.__traceback__
        finally:
            self._done.set()


class Worker:
    """A daemon thread with one waiting job per kind; a newer job of a kind stops and replaces the older one."""

    def __init__(self, name: str, report: Report) -> None:
        self._report = report
        self._versions = itertools.count(1)
        self._waiting: dict[str, Ticket] = {}
        self._running: tuple[str, Ticket] | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        try:
            self._thread.start()
            _ALIVE.add(self)
        except BaseException:
            self.close()
            raise

    def submit(self, kind: str, job: Callable[[Ticket], None], replaces: Sequence[str] = ()) -> Ticket:
        """Hand over a job; unfinished older ones of its kind, and of the kinds it replaces, are stopped."""
        with self._changed:
            if self._closed:
                raise RuntimeError(CLOSED)
            for old in (kind, *replaces):
                self._stop(old, Replaced)
            ticket = self._waiting[kind] = Ticket(next(self._versions), job, self._report)
            self._changed.notify()
            return ticket

    def cancel(self) -> None:
        """Stop all jobs, running and waiting."""
        with self._changed:
            self._stop_all()

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
            self._stop_all()
            self._changed.notify()

    def _stop_all(self) -> None:
        for kind in [*self._waiting, *([self._running[0]] if self._running else [])]:
            self._stop(kind, Cancelled)

    def _stop(self, kind: str, why: type[Cancelled]) -> None:
        waiting = self._waiting.pop(kind, None)
        if waiting is not None:
            waiting.stop(why)
            waiting.run()  # ends at once, as cancelled, for those who wait
        if self._running is not None and self._running[0] == kind:
            self._running[1].stop(why)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                kind = min(self._waiting, key=lambda kind: self._waiting[kind].version)
                ticket = self._waiting.pop(kind)
                self._running = (kind, ticket)
            ticket.run()
            with self._changed:
                self._running = None
            # Else this thread holds the last job, and through its error's frames all that it held.
            del ticket


_ALIVE: "weakref.WeakSet[Worker]" = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End every thread before Python does: one that it ends in the middle of torch aborts the program.

    However long a step takes, it is waited for, as concurrent.futures waits.
    """
    alive = list(_ALIVE)
    for worker in alive:
        worker.close()
    for worker in alive:
        worker._thread.join()
