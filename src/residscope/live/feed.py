"""How runs are made and reach the views that follow them: one worker, one selection, one status."""

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from residscope.live.shared import Extent, Selection, Status, attach_owner, settle
from residscope.live.source import Follow
from residscope.live.widget import Widget, undone_by
from residscope.live.wire import text
from residscope.live.worker import CLOSED, Around, Cancelled, Job, Priority, Replaced, Ticket, Worker


class Numbered(Protocol):
    """Runs that belong together, with their number."""

    @property
    def number(self) -> int:
        """Return the number of the run in its experiment."""


R = TypeVar("R", bound=Numbered)


class Feed(Generic[R]):
    """The runs of an experiment; all its views show the newest. A `Source`.

    Args:
        describe: returns what all views of some runs share, and how far a selection may reach in them.
        expect: returns how far a selection will reach in the runs of the newest inputs, or None.
        around: a context manager around each turn of a job.

    Attributes:
        lock: held while the newest inputs, or the newest runs, are exchanged.
        number: the number of the newest inputs.
    """

    def __init__(
        self,
        describe: Callable[[R], tuple[dict[str, Any], Extent]],
        expect: Callable[[], Extent | None],
        around: Around,
    ) -> None:
        self.lock = threading.RLock()
        self.selection = Selection()
        self.status = Status()
        self.number = 0
        self._describe, self._expect = describe, expect
        self._runs: R | None = None
        self._followers: dict[str, weakref.WeakMethod[Follow[R]]] = {}
        self._shows: dict[str, Ticket] = {}
        self._on_run: list[Callable[[R], object]] = []
        self._jobs: dict[str, dict[str, Any]] = {}
        me = weakref.ref(self)
        self._worker = Worker("residscope", lambda ticket: _report(me, ticket), around)
        undone_by(self._worker.close)
        attach_owner(self.selection, self)
        self._ticket: Ticket | None = None
        self.status.observe(lambda change: _cancel(me, change["new"]), "_cancel")

    @property
    def expected(self) -> Extent | None:
        """Return how far a selection reaches in the runs of the newest inputs, whether or not they have ended."""
        return self._expect()

    @property
    def closed(self) -> bool:
        """Tell whether no more jobs will run."""
        return self._worker.closed

    def close(self) -> None:
        """Stop all jobs, release the runs and close the shared models."""
        _close(self._worker, self.selection, self.status)
        self._runs = None

    def close_with(self, owner: object) -> None:
        """Stop all jobs and close the shared models once the owner is garbage."""
        weakref.finalize(owner, _close, self._worker, self.selection, self.status).atexit = False

    def run(self, make: Callable[[Ticket], R], made: Callable[[R], object]) -> None:
        """Make the runs of new inputs and stop all jobs of older ones.

        Args:
            make: makes them, on the worker.
            made: called with them, under the lock, when they become the newest.
        """

        def job(ticket: Ticket) -> None:
            runs = make(ticket)
            ticket.check()
            self._publish(runs, made)

        with self.lock:
            # The number goes up first, because the job may begin before submit returns.
            self.number += 1
            about = {"run": self.number, "of": ""}
            self._ticket = self._worker.submit(
                "run", job, Priority.RUN, replaces=lambda kind: not kind.startswith(_TOLD), about=about
            )

    def now(self) -> R | None:
        """Return the newest finished runs, or None; never waits."""
        return self._runs

    def wait(self, told: Callable[[], object] | None = None) -> R:
        """Wait for the runs of the newest inputs; on the worker's own thread, return the current ones.

        Args:
            told: called about once a second while waiting.
        """
        if self._worker.is_current_thread():
            if self._runs is None:
                raise RuntimeError("there is no finished run yet: use the trace that on_run passes to your function")
            return self._runs
        while True:
            ticket = self._ticket
            assert ticket is not None
            while not ticket.wait(1.0 if told else None):
                if told:
                    told()
            with self.lock:
                if self.closed:
                    raise Cancelled(CLOSED)
                if ticket is not self._ticket:
                    continue
                if isinstance(ticket.error, Cancelled):
                    raise Cancelled(CANCELLED)
                ticket.raise_error()
                assert self._runs is not None
                return self._runs

    def attach(self, name: str, follow: Follow[R]) -> None:
        """Let a view show the newest runs and all later ones, by a method that is held weakly."""
        # Under the lock; otherwise runs published meanwhile would miss the view, and the view would miss them.
        with self.lock:
            self._followers[name] = weakref.WeakMethod(follow)
            if self._runs is not None:
                self._show(name, self._runs)

    def detach(self, name: str) -> None:
        """Release a closed view."""
        self._followers.pop(name, None)
        self._shows.pop(name, None)
        gone = [kind for kind, job in list(self._jobs.items()) if job["of"] == name]
        for kind in gone:
            self._jobs.pop(kind, None)
        if gone:
            self._tell_jobs()

    def showing(self, name: str) -> Ticket:
        """Return the job that lets a view show the newest runs."""
        return self._shows[name]

    def ask(self, key: str, job: Job, priority: Priority = Priority.CLICK, *, of: str = "") -> Ticket:
        """Do a job on the worker; a newer one of the same key replaces it.

        Raises:
            RuntimeError: when the experiment is closed.
        """
        return self._worker.submit(key, job, priority, about={"run": self.number, "of": of})

    def on_run(self, fn: Callable[[R], object]) -> Callable[[], None]:
        """Call fn with all later runs, on the worker's thread, without a lock; returns a function that undoes this."""
        self._on_run.append(fn)
        return lambda: self._on_run.remove(fn) if fn in self._on_run else None

    def cancel(self, version: int | None = None) -> None:
        """Stop one job, or all."""
        self._worker.cancel(version)

    def tell(self, message: str) -> None:
        """Show in all views, until the next run, why a gesture was not possible."""
        self.status._error = {"run": self.number, "message": text(message)}

    def _publish(self, runs: R, made: Callable[[R], object]) -> None:
        header, extent = self._describe(runs)
        with self.lock:  # by then the caller has put it into the history
            self._runs = runs
            made(runs)
            # With the runs, because whoever sees them may wait for a view to show them.
            for name in list(self._followers):
                self._show(name, runs)
        self._jobs.clear()
        with self.status.hold_sync():
            self.status.run = runs.number
            self.status._header = header
            self.status._jobs = []
            self.status._error = None
        try:
            settle(self.selection, self, extent)
        except Exception:  # noqa: BLE001 - an observer's mistake must not stop the run
            _LOG.exception("an observer of the selection failed")
        if self._on_run:
            # A kind of its own: a newer run replaces what is shown, but observers hear of every run.
            self._worker.submit(f"{_TOLD}{runs.number}", lambda _ticket: self._tell(runs), Priority.FIRST)

    def _show(self, name: str, runs: R) -> None:
        reference = self._followers[name]

        def job(ticket: Ticket) -> Iterator[Any] | None:
            follow = reference()
            if follow is None:
                self._followers.pop(name, None)
                return None
            return follow(runs, ticket)

        about = {"run": runs.number, "of": name}
        self._shows[name] = self._worker.submit(f"{_SHOW}{name}", job, Priority.FIRST, about=about)

    def _tell(self, runs: R) -> None:
        for fn in list(self._on_run):
            try:
                fn(runs)
            except Exception:  # noqa: BLE001 - a callback's mistake must not stop the worker
                _LOG.exception("a function given to on_run failed")

    def _report(self, ticket: Ticket) -> None:
        """Show in the shared status how far a job is, or how it ended; on the worker's thread."""
        about, before = ticket.about, self._jobs.pop(ticket.kind, None)
        if not about or about["run"] != self.number or (about["of"] and about["of"] not in self._followers):
            return
        job = {"id": ticket.version, "label": "", "done": 0, "total": 0, "error": None, **about}
        if ticket.progress is not None:
            label, done, total = ticket.progress
            self._jobs[ticket.kind] = job | {"label": label, "done": done, "total": total}
        elif ticket.error is not None and not isinstance(ticket.error, Replaced):
            message = self._message(ticket)
            if about["of"]:
                self._jobs[ticket.kind] = job | {"error": message}
            else:
                self.status._error = {"run": about["run"], "message": message}
        elif before is None:
            return
        self._tell_jobs()

    def _tell_jobs(self) -> None:
        self.status._jobs = sorted([*self._jobs.values()], key=lambda one: one["id"])

    def _message(self, ticket: Ticket) -> str:
        if isinstance(ticket.error, Cancelled):
            return CANCELLED
        if ticket.about["of"]:
            _LOG.error("a view of run %s failed", ticket.about["run"], exc_info=ticket.error)
        return text(str(ticket.error) or type(ticket.error).__name__)


CANCELLED = "Cancelled: change an input, or call exp.update(), to run again."

_SHOW, _TOLD = "show ", "told "

_LOG = logging.getLogger("residscope")


def _close(worker: Worker, *models: Widget) -> None:
    """Close what an experiment leaves behind; ipywidgets would keep its models for ever."""
    worker.close()
    for model in models:
        model.close()


def _report(reference: "weakref.ref[Feed[Any]]", ticket: Ticket) -> None:
    feed = reference()
    if feed is not None:
        feed._report(ticket)


def _cancel(reference: "weakref.ref[Feed[Any]]", version: int) -> None:
    feed = reference()
    if feed is not None:
        feed.cancel(version)
