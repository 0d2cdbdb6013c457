"""All views of an experiment on one page, linked."""

from residscope.experiment import Experiment
from residscope.views import AttentionPattern, HeadAttribution, LogitLens, TokenStrip
from residscope.views.boxes import Box


class Workbench(Box):
    """Prompt, heads, attention and logit lens of one experiment, in one widget.

    The strongest head is selected at first, so that there is something to see.
    """

    def __init__(self, experiment: Experiment) -> None:
        views = {
            "strip": TokenStrip(experiment),
            "heads": HeadAttribution(experiment),
            "pattern": AttentionPattern(experiment),
            "lens": LogitLens(experiment),
        }
        if experiment.selection.head is None:
            trace = experiment.trace
            strongest = int(trace.head_attribution().nanmean(0).abs().nan_to_num().argmax())
            experiment.selection.update(head=divmod(strongest, trace.n_heads))
        super().__init__(list(views.values()), _layout="workbench", _areas=list(views))
