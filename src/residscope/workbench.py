"""All views of an experiment on one page, linked."""

import uuid

from residscope.experiment import Experiment, source_of
from residscope.live.shared import Selection
from residscope.live.worker import Ticket
from residscope.runs.runs import Runs
from residscope.runs.trace import Trace
from residscope.views import (
    AttentionPattern,
    HeadAttribution,
    HeadGrid,
    HeadReadout,
    LayerAttribution,
    LogitLens,
    TokenStrip,
)
from residscope.views.boxes import Box
from residscope.views.followed import checked


class Workbench(Box):
    """All views of one experiment in one widget: prompt, heads, attention, the selected head, lens, layers, small maps.

    The strongest head is selected at first, so that every view has something to show.
    """

    def __init__(self, experiment: Experiment) -> None:
        checked(type(self), experiment)
        self._chooser = _Chooser(experiment.selection)
        if experiment.selection.head is None and not source_of(experiment).closed:
            # Before the views, so that each is filled only once.
            source_of(experiment).attach(uuid.uuid4().hex, self._chooser.follow)
        # They are filled in this order: what costs another forward comes last.
        views = {
            "strip": TokenStrip(experiment),
            "heads": HeadAttribution(experiment),
            "layers": LayerAttribution(experiment),
            "lens": LogitLens(experiment),
            "pattern": AttentionPattern(experiment),
            "readout": HeadReadout(experiment),
            "maps": HeadGrid(experiment),
        }
        areas = ["strip", "heads", "pattern", "readout", "lens", "layers", "maps"]
        super().__init__([views[area] for area in areas], _layout="workbench", _areas=areas)


class _Chooser:
    """Selects the strongest head of the first run, unless one is selected."""

    def __init__(self, selection: Selection) -> None:
        self._selection: Selection | None = selection

    def follow(self, runs: Runs[Trace], _ticket: Ticket) -> None:
        """Select, once."""
        selection, self._selection = self._selection, None
        if selection is not None and selection.head is None:
            effects = runs.trace.head_attribution().nanmean(0).abs().nan_to_num()
            selection.update(head=divmod(int(effects.argmax()), runs.trace.n_heads))
