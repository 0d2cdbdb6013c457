"""The direct effect of each layer's attention and MLP on the target, beside every other part of the residual stream."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from residscope.arrays import ArrayRun, Run, shaped
from residscope.export.colours import MLP_SHADE
from residscope.export.figure import Bars, Figure
from residscope.export.words import measured, number
from residscope.fixed import Fixed
from residscope.live import wire
from residscope.live.shared import Selection
from residscope.live.widget import made_whole
from residscope.live.worker import Ticket
from residscope.quantity import mean_over
from residscope.runs.trace import ComponentAttribution
from residscope.views.base import View
from residscope.views.captions import (
    caption,
    chosen_row,
    effect_name,
    effect_words,
    facts,
    mean_words,
    sum_facts,
)
from residscope.views.checks import parts_info

if TYPE_CHECKING:
    import pandas as pd


class LayerAttribution(View):
    """Bars by layer of direct effects on the target, in its unit; blue pushes towards the right answer.

    A layer's attention is the sum of its heads. All bars add up to the target, and that is checked against the
    model's own logits and shown. A click pins a part by its name, such as "L3.attn".
    """

    bundle_name = "layer_attribution"

    @classmethod
    @made_whole()
    def from_arrays(
        cls,
        values: Any,
        labels: Sequence[str],
        *,
        name: str = "value",
        unit: str = "",
        selection: Selection | None = None,
    ) -> "LayerAttribution":
        """Show a signed number of each part of a model; there is no model, and no sum to check.

        Args:
            values: `[component]` or `[row component]`, an array, a tensor or nested lists; NaN where there is
                none.
            labels: the components' names, the first at the bottom; "L3.attn" and "L3.mlp" stand in one band.
            name: what the numbers are, for the title and the sentence.
            unit: theirs.
            selection: share this one, so that a click here selects in other views.

        Raises:
            ValueError: for another number of axes, or of labels.
        """
        parts = shaped(values, "values", "component", "row component")
        if len(labels) != parts.shape[1]:
            raise ValueError(f"there are {len(labels)} labels for {parts.shape[1]} components: give one for each")
        attribution = ComponentAttribution([wire.text(str(label)) for label in labels], torch.from_numpy(parts))
        numbers = {"component_attribution": lambda: attribution}
        run = ArrayRun([[]] * len(parts), name=name, unit=unit, labels=attribution.labels, numbers=numbers)
        return cls(Fixed(run), selection=selection)

    def payload(self, trace: Run, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
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

        trace = self.trace
        parts = trace.component_attribution()
        index = pd.MultiIndex.from_product([range(len(trace.lengths)), parts.labels], names=["row", "component"])
        column = "value" if isinstance(trace, ArrayRun) else "direct_effect"
        values = parts.values.cpu().numpy().reshape(-1)
        return pd.DataFrame({column: values, "unit": trace.target.unit}, index=index).reset_index()

    def summary(self, trace: Run) -> str:
        """Name the target and the strongest component."""
        labels, values, row = self._numbers(trace)
        strongest = int(np.abs(np.nan_to_num(values)).argmax())
        words = (
            f"{effect_words(trace, row)}; strongest {labels[strongest]} {number(float(values[strongest]), sign=True)}"
        )
        failed = [check.reason for check in trace.sum_check() if not check.ok]
        return "; ".join([words, *(f"sum check fails: {reason}" for reason in failed[:1])])

    def figure(self, trace: Run) -> Figure:
        """Return the bars, with a dot for each prompt where they are means."""
        labels, values, row = self._numbers(trace)
        every = trace.component_attribution().values.cpu().numpy()
        called, unit = effect_name(trace, row), trace.target.unit
        shades = np.array([MLP_SHADE if label.endswith(".mlp") else 1.0 for label in labels])
        bars = Bars(labels, values, called, unit, every if row is None else None, shades)
        told = facts(trace, mean_words(every, row), sum_facts(trace, row))
        return Figure("Layers", measured(called, unit), told, caption(self.summary(trace)), [bars])

    def _numbers(self, trace: Run) -> tuple[list[str], wire.Array, int | None]:
        """Return the labels, the numbers on screen [component], and the row they are of, None for the mean."""
        parts = trace.component_attribution()
        values = parts.values.cpu().numpy()
        row = chosen_row(self.selection.row, len(values))
        return parts.labels, (mean_over(values) if row is None else values[row]), row
