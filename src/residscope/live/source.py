"""What a view follows: an experiment's runs, or arrays that never change."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from residscope.live.shared import Extent, Selection, Status
from residscope.live.worker import Job, Priority, Ticket

R_co = TypeVar("R_co", covariant=True)
"""The runs that are followed."""

R = TypeVar("R")

Follow = Callable[[R, Ticket], Iterator[Any] | None]
"""A view's method that shows new runs; it yields whenever more of them is shown."""


class Source(Protocol[R_co]):
    """Where a view's numbers come from.

    Attributes:
        selection: what is selected.
        status: the status that all views share.
    """

    selection: Selection
    status: Status

    @property
    def expected(self) -> Extent | None:
        """Return how far a selection reaches in the runs of the newest inputs; None if no more runs come."""

    @property
    def closed(self) -> bool:
        """Tell whether no more jobs will run."""

    def now(self) -> R_co | None:
        """Return the newest finished runs, or None; never waits."""

    def wait(self, told: Callable[[], object] | None = None) -> R_co:
        """Wait for the runs of the newest inputs and raise their error, if any; calls `told` once a second."""

    def attach(self, name: str, follow: Follow[R_co]) -> None:
        """Let a view show the newest runs and all later ones.

        Args:
            name: the view's, which no other has.
            follow: shows runs; held as weakly as its view.
        """

    def detach(self, name: str) -> None:
        """Release a closed view."""

    def showing(self, name: str) -> Ticket:
        """Return the job that lets a view show the newest runs."""

    def ask(self, key: str, job: Job, priority: Priority = Priority.CLICK, *, of: str = "") -> Ticket:
        """Do a job on the worker; a newer one of the same key replaces it.

        Args:
            key: the name of such jobs.
            job: what to do; it yields between forwards, so that more urgent jobs can go first.
            priority: when it is done.
            of: the name of the view that asks; it alone shows the job's progress and failure.

        Raises:
            RuntimeError: when the source is closed.
        """
