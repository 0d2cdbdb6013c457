"""What a view follows in place of an experiment: a run that never changes."""

from collections.abc import Callable

from residscope.arrays import ArrayRun
from residscope.header import extent_of, header_of
from residscope.live.shared import Selection, Status
from residscope.live.widget import made_whole
from residscope.live.worker import Ticket


class Fixed:
    """Arrays to be shown, with a selection and a status of their own."""

    @made_whole()
    def __init__(self, run: ArrayRun) -> None:
        self.trace = run
        self.selection = Selection()
        self.status = Status()
        self.status.run = run.number
        self.status._run = header_of(run)
        self.selection.settle(self, extent_of(run))

    @property
    def expected(self) -> None:
        """Return None: there will be no other run."""

    @property
    def trace_or_none(self) -> ArrayRun:
        """Return the arrays."""
        return self.trace

    def wait(self, _told: Callable[[], object] | None = None) -> ArrayRun:
        """Return the arrays at once."""
        return self.trace

    def schedule(self, _kind: str, job: Callable[[Ticket], None]) -> None:
        """Do a view's job now."""
        ticket = Ticket(0, job, lambda _label, _done, _total: None)
        ticket.run()
        ticket.raise_error()

    def attach(self, view: object) -> None:
        """Do nothing: there will be no other run."""

    def detach(self, _view: object) -> None:
        """Close with the one view that shows this."""
        self.selection.close()
        self.status.close()
