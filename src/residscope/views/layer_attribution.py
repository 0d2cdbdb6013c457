"""The direct effect of each layer's attention and MLP on the target, beside every other part of the residual stream."""

from typing import TYPE_CHECKING, Any

import numpy as np

from residscope.trace import Trace
from residscope.views.base import View
from residscope.views.checks import parts_info
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd


class LayerAttribution(View):
    """Bars by layer of direct effects on the target, in its unit; blue pushes towards the right answer.

    A layer's attention is the sum of its heads. All bars add up to the target, and that is checked against the
    model's own logits and shown. A click pins a part by its name, such as "L3.attn".
    """

    bundle_name = "layer_attribution"

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return `values` [row component], their names and the sum check."""
        del ticket
        parts = trace.component_attribution()
        info = {
            "labels": list(parts.labels),
            "check": parts_info(trace),
            "unit": trace.target.unit,
        }
        return {"values": parts.values.cpu().numpy().astype(np.float32)}, info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt and component."""
        import pandas as pd

        trace = self.experiment.trace
        parts = trace.component_attribution()
        index = pd.MultiIndex.from_product([range(len(trace.lengths)), parts.labels], names=["row", "component"])
        effects = parts.values.cpu().numpy().reshape(-1)
        return pd.DataFrame({"direct_effect": effects, "unit": trace.target.unit}, index=index).reset_index()

    def summary(self, trace: Trace) -> str:
        """Name the target and the strongest component."""
        parts = trace.component_attribution()
        strongest = int(parts.values[0].abs().argmax())
        check = trace.sum_check()[0]
        return (
            f"direct effects on {trace.target.names[0]} = {float(trace.target_value[0]):.3g} {trace.target.unit}; "
            f"strongest {parts.labels[strongest]} {float(parts.values[0, strongest]):+.3g}; "
            f"sum check {'passes' if check.ok else 'fails: ' + check.reason}"
        )
