"""What a view follows instead of an experiment: numbers that never change."""

import threading
from collections.abc import Callable

from residscope.given import Given
from residscope.header import extent_of, header_of
from residscope.live.shared import Selection, Status, settle
from residscope.live.source import Follow
from residscope.live.widget import made_whole
from residscope.live.worker import Job, Priority, Ticket
from residscope.runs.runs import Runs


class Fixed:
    """A `Source` of given numbers, with a selection and a status of its own."""

    closed = False

    @made_whole()
    def __init__(self, run: Given) -> None:
        self.selection = Selection()
        self.status = Status()
        self.status.run = run.number
        self.status._header = header_of(run)
        settle(self.selection, self, extent_of(run))
        self._runs: Runs[Given] = Runs(run.number, run, run)
        self._lock = threading.RLock()

    @property
    def expected(self) -> None:
        """Return None: no other run will come."""

    def now(self) -> Runs[Given]:
        """Return the numbers."""
        return self._runs

    def wait(self, _told: Callable[[], object] | None = None) -> Runs[Given]:
        """Return the numbers at once."""
        return self._runs

    def attach(self, _name: str, follow: Follow[Runs[Given]]) -> None:
        """Let the one view show the numbers."""
        self._ticket = self.ask("show", lambda ticket: follow(self._runs, ticket))

    def detach(self, _name: str) -> None:
        """Close together with the only view that shows this."""
        self.selection.close()
        self.status.close()

    def showing(self, _name: str) -> Ticket:
        """Return the job that has let the view show the numbers."""
        return self._ticket

    def ask(self, key: str, job: Job, priority: Priority = Priority.CLICK, *, of: str = "") -> Ticket:
        """Do a view's job now."""
        ticket = Ticket(0, key, job, priority, lambda _ticket: None, {"of": of})
        with self._lock:
            while not ticket.done:
                ticket.turn()
        ticket.raise_error()
        return ticket
