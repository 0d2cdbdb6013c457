"""Each head's direct effect on the target, layers by heads."""

from typing import TYPE_CHECKING, Any

import numpy as np

from residscope.trace import Trace
from residscope.views.base import View
from residscope.views.checks import parts_info
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd


class HeadAttribution(View):
    """A layers-by-heads map of direct effects on the target, in its unit; blue pushes towards the right answer.

    A click selects a head in every view that shares the selection. The sum of all parts is checked against the
    model's own logits and shown.
    """

    bundle_name = "head_attribution"

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return `values` [row layer head] and the sum check."""
        del ticket
        values = trace.head_attribution().cpu().numpy().astype(np.float32)
        info = {
            "check": parts_info(trace),
            "heads_total": [float(total) for total in np.nansum(values, (1, 2))],
            "unit": trace.target.unit,
        }
        return {"values": values}, info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt, layer and head."""
        import pandas as pd

        trace = self.experiment.trace
        values = trace.head_attribution().cpu().numpy()
        index = pd.MultiIndex.from_product([range(n) for n in values.shape], names=["row", "layer", "head"])
        return pd.DataFrame({"direct_effect": values.reshape(-1), "unit": trace.target.unit}, index=index).reset_index()

    def summary(self, trace: Trace) -> str:
        """Name the target and the strongest head."""
        values = trace.head_attribution()[0]
        layer, head = divmod(int(values.abs().nan_to_num().argmax()), trace.n_heads)
        return (
            f"direct effects on {trace.target.names[0]} = {float(trace.target_value[0]):.3g} {trace.target.unit}; "
            f"strongest L{layer}H{head} {float(values[layer, head]):+.3g}; sum check "
            f"{'passes' if trace.sum_check()[0].ok else 'fails: ' + trace.sum_check()[0].reason}"
        )
