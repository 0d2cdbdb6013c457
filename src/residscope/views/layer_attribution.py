"""The direct effect of each layer's attention and MLP on the target, beside every other part of the residual stream."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from residscope.given import Given
from residscope.live.shared import Selection
from residscope.quantity import Quantity
from residscope.runs.trace import Trace
from residscope.views.base import View
from residscope.views.checks import parts_checks
from residscope.views.from_arrays import shaped

if TYPE_CHECKING:
    import pandas as pd


class LayerAttribution(View):
    """Bars of direct effects on the target by layer, in its unit; blue pushes towards the right answer.

    A layer's attention is the sum of its heads. All bars add up to the target; this is checked against the model's own
    logits, and the check is shown. A click pins a part by its name, such as "L3.attn".
    """

    title = "Layers"
    help = (
        "Each bar is what one part of the model writes into the residual stream at the position where the target is "
        "read, projected on the target's direction after the final norm (its scale held fixed). A layer's attention is "
        "the sum of its heads; attn_bias is what attention adds whatever its heads look at.",
        "All bars add up to the target; the sum in the title row is that check. With several prompts a bar is their "
        "mean, and each dot is one prompt.",
        "Click a bar to pin that part, which draws a dashed ring; click again to unpin it. Arrow keys move, Enter "
        "pins, Escape hides the cursor. The edge beside a name marks the layer of the selected head.",
    )

    @classmethod
    def from_arrays(
        cls,
        values: Any,
        labels: Sequence[str],
        *,
        name: str = "value",
        unit: str = "",
        selection: Selection | None = None,
    ) -> "LayerAttribution":
        """Show a signed number for each part of a model, without a model or a sum to check.

        Args:
            values: `[component]` or `[row component]`, an array, a tensor or nested lists; NaN where there is
                none.
            labels: the components' names, the first at the bottom; "L3.attn" and "L3.mlp" share one band.
            name: what the numbers are, for the title and the sentence.
            unit: their unit.
            selection: a selection to share, so that a click here also selects in other views.

        Raises:
            ValueError: for the wrong number of axes or labels.
        """
        parts = shaped(values, "values", "component", "row component")
        if len(labels) != parts.shape[1]:
            raise ValueError(f"there are {len(labels)} labels for {parts.shape[1]} components: give one for each")
        quantity = Quantity(name, parts, "row component", unit, {"component": labels})
        return cls.from_quantities([quantity], selection=selection)

    def quantities(self, trace: Trace) -> Iterator[Quantity]:
        """Yield the direct effects [row component]."""
        parts = trace.component_attribution()
        labels, beside = parts.labels, dict[str, Any]()
        if trace.baseline is not trace:
            changes = trace.changes()
            labels = changes.labels
            # The changed scale of the norm has a change but is not a part.
            before = trace.baseline.component_attribution()
            beside = {"reference": before.along(labels), "moved": changes.values}
        yield Quantity(
            "direct effect",
            parts.along(labels),
            "row component",
            trace.target.unit,
            {"component": labels},
            checks=parts_checks(trace),
            **beside,
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt and component."""
        trace = self.trace
        (quantity,) = self._shows(trace)
        return quantity.frame("value" if isinstance(trace, Given) else "direct_effect")
