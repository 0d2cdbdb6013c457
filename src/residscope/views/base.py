"""What every view has: an experiment it follows, a shared selection and status, one payload a run."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from residscope import wire
from residscope.experiment import Experiment
from residscope.scene import extent_of
from residscope.selection import Selection, shared_state
from residscope.synced import SyncedWidget, bundle
from residscope.trace import Trace
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd

_SELECTION = ("row", "depth", "head", "position", "key", "pinned")
_STATUS = ("run", "_run", "_progress", "_error", "_cancel")


class View(SyncedWidget):
    """A widget that shows each run of an experiment.

    A view says which arrays it shows and which traits it has; it computes nothing.

    Args:
        experiment: what to show; the view is finished when the newest run is.
        selection: share another selection than the experiment's.
    """

    selection = anywidget.WidgetTrait().tag(sync=True)
    """The `Selection` this view shares."""
    status = anywidget.WidgetTrait().tag(sync=True)
    """The experiment's `Status`."""
    _data = traitlets.Bytes(b"").tag(sync=True)
    _link = traitlets.Unicode("").tag(sync=True)
    _mirror = traitlets.Dict().tag(sync=True)

    bundle_name: ClassVar[str]
    from_browser = frozenset({"_link", "_mirror"})

    def __init__(self, experiment: Experiment, *, selection: Selection | None = None, **traits: Any) -> None:
        if not isinstance(experiment, Experiment):
            raise TypeError(
                f"{type(self).__name__} takes an Experiment, not {type(experiment).__name__}: "
                "rs.Experiment(model, prompts, answers)"
            )
        self.experiment = experiment
        self._showing = threading.RLock()
        self._shown = 0
        trace = _wait_aloud(experiment)
        module, style = bundle(self.bundle_name)
        super().__init__(
            _esm=module,
            _css=style,
            selection=experiment.selection if selection is None else selection,
            status=experiment.status,
            **traits,
        )
        try:
            self.follow(trace, None)
        except BaseException:
            self.close()
            raise
        experiment.attach(self)
        if experiment.trace_or_none is not trace:
            # A run that ended meanwhile found no view to tell.
            self.follow(experiment.trace, None)

    def follow(self, trace: Trace, ticket: Ticket | None) -> None:
        """Show a run, unless a newer one is shown already or the view is closed."""
        with self._showing:
            if trace.number < self._shown or self.comm is None:
                return
            arrays, info = self.payload(trace, ticket)
            if self.selection is not self.experiment.selection:
                self.selection.settle(self.experiment, extent_of(trace))
            self._shown = trace.number
            self._data = wire.pack(trace.number, arrays, info)

    def follow_again(self) -> None:
        """Show the run in hand anew, on the worker, after a trait has changed what is shown of it."""
        trace = self.experiment.trace_or_none
        if trace is not None:
            with suppress(RuntimeError):  # the experiment is closed, and the view keeps what it has
                self.experiment.soon(f"view {self.model_id}", lambda ticket: self.follow(trace, ticket))

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[Mapping[str, wire.Array], dict[str, Any]]:
        """Return the arrays of a run and what is said about them."""
        raise NotImplementedError

    def to_frame(self) -> "pd.DataFrame":
        """Return what the view shows of the newest run as a table, one row a number."""
        raise NotImplementedError

    def summary(self, trace: Trace) -> str:
        """Say in a line what the view shows."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        trace = self.experiment.trace
        bundled = super()._repr_mimebundle_(**kwargs)
        if bundled is not None:
            bundled[0]["text/plain"] = f"{type(self).__name__}, run {trace.number}: {self.summary(trace)}"
        return bundled

    def close(self) -> None:
        """Stop following the shared models, and close the widget."""
        if self.comm is not None and self._link == "mirror":
            self.selection.unobserve(self._send_mirror, list(_SELECTION))
            self.status.unobserve(self._send_mirror, list(_STATUS))
        super().close()

    @traitlets.observe("_link")
    def _start_mirror(self, _change: Any) -> None:
        """Follow the shared models on behalf of a host that cannot share them."""
        if self._link == "mirror":
            self.selection.observe(self._send_mirror, list(_SELECTION))
            self.status.observe(self._send_mirror, list(_STATUS))
            self._send_mirror()

    @traitlets.observe("_mirror")
    def _take_mirror(self, _change: Any) -> None:
        if self._mirror == self._mirrored():
            return
        for name, shared in (("selection", self.selection), ("status", self.status)):
            asked = self._mirror.get(name)
            if isinstance(asked, dict):
                shared.set_state({key: value for key, value in asked.items() if key in shared.from_browser})
        self._send_mirror()

    def _send_mirror(self, _change: Any = None) -> None:
        self._mirror = self._mirrored()
        # Not every host echoes, and one that wrote a value must see the true one.
        self.send_state("_mirror")

    def _mirrored(self) -> dict[str, Any]:
        return {
            "selection": shared_state(self.selection, _SELECTION),
            "status": shared_state(self.status, _STATUS),
        }


def _wait_aloud(experiment: Experiment) -> Trace:
    """Wait for the newest run, with one line of output when it takes longer than a second."""
    spoke = False

    def tell() -> None:
        nonlocal spoke
        spoke = True
        progress = experiment.status._progress or {}
        where = f", {progress['label']} {progress['done']} of {progress['total']}" if progress else ""
        print(f"\rresidscope: running{where} ...", end="", flush=True)

    trace = experiment.wait(tell)
    if spoke:
        print("\rresidscope: run finished.            ", flush=True)
    return trace
