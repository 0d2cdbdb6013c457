"""What every view has: an experiment it follows, a shared selection and status, one payload a run."""

import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from residscope.arrays import ArrayRun, Run
from residscope.experiment import Experiment
from residscope.export.figure import Figure
from residscope.export.interactive import plotly_figure
from residscope.fixed import Fixed
from residscope.header import extent_of
from residscope.live import rerun, wire
from residscope.live.shared import Selection, shared_state
from residscope.live.widget import bundle
from residscope.live.worker import Ticket
from residscope.models.twin import one_look
from residscope.views.picturable import CLOSED, Picturable

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure as PlotlyFigure

_SELECTION = ("row", "depth", "head", "position", "key", "pinned")
_STATUS = ("run", "_run", "_progress", "_error", "_history", "_cancel", "_go")


class View(Picturable):
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
    _still = traitlets.Unicode("").tag(sync=True)
    _mirror = traitlets.Dict().tag(sync=True)

    bundle_name: ClassVar[str]
    _experiment: Experiment | Fixed | None = None
    _last: Run | None = None
    _sent: Mapping[str, Any] | None = None
    from_browser = frozenset({"_link", "_mirror"})

    def __init__(self, experiment: Experiment | Fixed, *, selection: Selection | None = None, **traits: Any) -> None:
        checked_experiment(type(self), experiment)
        self._showing = threading.RLock()
        self._shown = 0
        trace = _wait_aloud(experiment)
        module, style = bundle(self.bundle_name)
        # Not before: what is refused has nothing to let go.
        self._experiment = experiment
        super().__init__(
            _esm=module,
            _css=style,
            selection=experiment.selection if selection is None else selection,
            status=experiment.status,
            _still=uuid.uuid4().hex,
            **traits,
        )
        self.follow(trace, None)
        rerun.note_made_by_cell(self)
        experiment.attach(self)
        if experiment.trace_or_none is not trace:
            # A run that ended meanwhile found no view to tell.
            self.follow(experiment.trace, None)

    @property
    def experiment(self) -> Any:
        """Return what the view shows: its `Experiment`, or what stands for one where it shows arrays.

        Raises:
            RuntimeError: when the view is closed, which lets the run go.
        """
        if self._experiment is None:
            raise RuntimeError(CLOSED)
        return self._experiment

    @property
    def trace(self) -> Any:
        """Return the newest run, for which it waits; once the experiment is closed, the last that was shown.

        Raises:
            RuntimeError: when the view is closed.
        """
        experiment = self.experiment
        return self._last if experiment.trace_or_none is None else experiment.trace

    def follow(self, trace: Run, ticket: Ticket | None) -> None:
        """Show a run, unless a newer one is shown already or the view is closed."""
        with self._showing:
            experiment = self._experiment
            if experiment is None or trace.number < self._shown:
                return
            with one_look():
                packed = wire.pack(trace.number, *self.payload(trace, ticket))
            if self.selection is not experiment.selection:
                self.selection.settle(experiment, extent_of(trace))
            with self.lock:
                # It may have been closed meanwhile; closing does not wait for what can take long.
                if self._experiment is not None:
                    self._shown, self._last, self._data = trace.number, trace, packed

    def follow_again(self, _change: Any = None) -> None:
        """Show the run in hand anew, on the worker, after a trait has changed what is shown of it."""
        trace = self.experiment.trace_or_none
        if trace is not None:
            with suppress(RuntimeError):  # the experiment is closed, and the view keeps what it has
                self.experiment.schedule(f"view {self.model_id}", lambda ticket: self.follow(trace, ticket))

    def payload(self, trace: Run, ticket: Ticket | None) -> tuple[Mapping[str, wire.Array], dict[str, Any]]:
        """Return the arrays of a run and what is said about them."""
        raise NotImplementedError

    def to_frame(self) -> "pd.DataFrame":
        """Return what the view shows of the newest run as a table, one row a number."""
        raise NotImplementedError

    def summary(self, trace: Run) -> str:
        """Say in a line what the view shows."""
        raise NotImplementedError

    def figure(self, trace: Run) -> Figure:
        """Return what the view shows of a run as a still picture, drawn by nobody yet."""
        raise NotImplementedError

    def whole_figure(self, trace: Run) -> Figure:
        """Return the same with all that a figure can hold in which one moves about."""
        return self.figure(trace)

    def to_plotly(self) -> "PlotlyFigure":
        """Return what the view shows of the newest run as a plotly figure."""
        return plotly_figure(self.whole_figure(self.trace))

    def figures(self) -> list[Figure]:
        """Return its one picture."""
        return [self.figure(self.trace)]

    def lines(self) -> list[str]:
        """Return its one line."""
        return [self.line()]

    def line(self) -> str:
        """Return what the view is, of which run where there is one, and its summary."""
        trace = self.trace
        run = "" if isinstance(trace, ArrayRun) else f", run {trace.number}"
        return f"{type(self).__name__}{run}: {self.summary(trace)}"

    def close(self) -> None:
        """Stop following the shared models, close the widget, and let the run go."""
        super().close()
        if self._experiment is None:
            return
        self._experiment.detach(self)
        with self.lock:
            # A notebook's Out keeps this object, and must not keep the run.
            self._experiment, self._last, self._data = None, None, b""

    @traitlets.observe("_link")
    def _start_mirror(self, _change: Any) -> None:
        """Follow the shared models on behalf of a host that cannot share them."""
        if self._link == "mirror":
            self.watch(self.selection, _SELECTION, self._send_mirror)
            self.watch(self.status, _STATUS, self._send_mirror)
            self._send_mirror()

    @traitlets.observe("_mirror")
    def _take_mirror(self, _change: Any) -> None:
        if self._mirror == self._sent:
            return
        for name, shared in (("selection", self.selection), ("status", self.status)):
            asked = self._mirror.get(name)
            if isinstance(asked, dict):
                shared.set_state({key: value for key, value in asked.items() if key in shared.from_browser})
        self._send_mirror()

    def _send_mirror(self, _change: Any = None) -> None:
        with self.lock:  # else a thread that was overtaken sends an older state after a newer one
            self._sent = self._mirrored()
            self._mirror = self._sent
            # Not every host echoes, and one that wrote a value must see the true one.
            self.send_state("_mirror")

    def _mirrored(self) -> dict[str, Any]:
        return {
            "selection": shared_state(self.selection, _SELECTION),
            "status": shared_state(self.status, _STATUS),
        }


def checked_experiment(kind: type, experiment: Any) -> None:
    """Refuse what is no experiment."""
    if not isinstance(experiment, Experiment | Fixed):
        raise TypeError(
            f"{kind.__name__} takes an Experiment, not {type(experiment).__name__}: "
            "rs.Experiment(model, prompts, answers)"
        )


def _wait_aloud(experiment: Experiment | Fixed) -> Run:
    """Wait for the newest run, with one line of output when it takes longer than a second."""
    widest = 0

    def say(words: str) -> None:
        nonlocal widest
        widest = max(widest, len(words))
        # A line that is written over another must hide all of it.
        print(f"\r{words.ljust(widest)}", end="", flush=True)

    def tell() -> None:
        progress = experiment.status._progress or {}
        where = f", {progress['label']} {progress['done']} of {progress['total']}" if progress else ""
        say(f"residscope: running{where} ...")

    trace = experiment.wait(tell)
    if widest:
        say("residscope: run finished.")
        print()
    return trace
