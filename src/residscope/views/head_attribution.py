"""Each head's direct effect on the target, layers by heads."""

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from residscope import wire
from residscope.analysis.scores import KINDS
from residscope.experiment import Experiment
from residscope.sources import head_scores
from residscope.trace import Trace
from residscope.views.base import View
from residscope.views.checks import parts_info
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd

EFFECT = "direct effect"
PROMPT, REPEATS = "this prompt", "random repeats"


class HeadAttribution(View):
    """A layers-by-heads map of direct effects on the target, in its unit; blue pushes towards the right answer.

    A click selects a head in every view that shares the selection. The sum of all parts is checked against the
    model's own logits and shown. Instead of the direct effect the colour may say how much a head behaves like one of
    a known kind.
    """

    bundle_name = "head_attribution"

    colour = traitlets.Enum((EFFECT, *KINDS), EFFECT).tag(sync=True)
    """What is shown: "direct effect", or a score from 0 to 1: "induction", "previous token", "duplicate token"."""
    scores_on = traitlets.Enum((PROMPT, REPEATS), PROMPT).tag(sync=True)
    """What a score is measured on: "this prompt" or "random repeats" (`rs.head_scores`, seed 0)."""

    from_browser = View.from_browser | {"colour", "scores_on"}

    def __init__(self, experiment: Experiment, **traits: Any) -> None:
        self._on_repeats: dict[str, tuple[bytes, wire.Array]] = {}
        super().__init__(experiment, **traits)
        self.observe(lambda _change: self.follow_again(), ["colour", "scores_on"])

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return `values` [row layer head], the sum check and, where asked for, `scores` [row layer head]."""
        del ticket
        values = trace.head_attribution().cpu().numpy().astype(np.float32)
        info = {
            "check": parts_info(trace),
            "heads_total": [float(total) for total in np.nansum(values, (1, 2))],
            "unit": trace.target.unit,
            "colour": self.colour,
            "scores_on": self.scores_on,
        }
        return {"values": values} | ({} if self.colour == EFFECT else {"scores": self._scores(trace)}), info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt, layer and head, with the score where one is shown."""
        import pandas as pd

        trace = self.experiment.trace
        values = trace.head_attribution().cpu().numpy()
        index = pd.MultiIndex.from_product([range(n) for n in values.shape], names=["row", "layer", "head"])
        columns: dict[str, Any] = {"direct_effect": values.reshape(-1), "unit": trace.target.unit}
        if self.colour != EFFECT:
            columns[self.colour] = np.broadcast_to(self._scores(trace), values.shape).reshape(-1)
            columns["scores_on"] = self.scores_on
        return pd.DataFrame(columns, index=index).reset_index()

    def summary(self, trace: Trace) -> str:
        """Name the target and the strongest head."""
        values = trace.head_attribution()[0]
        layer, head = divmod(int(values.abs().nan_to_num().argmax()), trace.n_heads)
        return (
            f"direct effects on {trace.target.names[0]} = {float(trace.target_value[0]):.3g} {trace.target.unit}; "
            f"strongest L{layer}H{head} {float(values[layer, head]):+.3g}; sum check "
            f"{'passes' if trace.sum_check()[0].ok else 'fails: ' + trace.sum_check()[0].reason}"
        )

    def _scores(self, trace: Trace) -> wire.Array:
        """Return the score shown; on random repeats, which no prompt changes, one row for all and measured once."""
        if self.scores_on == PROMPT:
            return trace.head_scores(self.colour).cpu().numpy()
        weights, scores = self._on_repeats.get(self.colour, (b"", np.empty(0)))
        if weights != trace.weights:
            scores = head_scores(self.experiment.model, self.colour)[None].cpu().numpy()
            self._on_repeats[self.colour] = trace.weights, scores
        return scores
