"""All views of an experiment on one page, linked."""

from residscope.experiment import Experiment
from residscope.views import (
    AttentionPattern,
    HeadAttribution,
    HeadGrid,
    HeadReadout,
    LayerAttribution,
    LogitLens,
    TokenStrip,
)
from residscope.views.base import checked_experiment
from residscope.views.boxes import Box


class Workbench(Box):
    """All views of one experiment in one widget: prompt, heads, attention, the selected head, lens, layers, small maps.

    The strongest head is selected at first, so that there is something to see.
    """

    def __init__(self, experiment: Experiment) -> None:
        checked_experiment(type(self), experiment)
        if experiment.selection.head is None:
            # Before the views are made, so that each need be made once.
            trace = experiment.trace
            strongest = int(trace.head_attribution().nanmean(0).abs().nan_to_num().argmax())
            experiment.selection.update(head=divmod(strongest, trace.n_heads))
        views = {
            "strip": TokenStrip(experiment),
            "heads": HeadAttribution(experiment),
            "pattern": AttentionPattern(experiment),
            "readout": HeadReadout(experiment),
            "lens": LogitLens(experiment),
            "layers": LayerAttribution(experiment),
            "maps": HeadGrid(experiment),
        }
        super().__init__(list(views.values()), _layout="workbench", _areas=list(views))
