"""Each head's direct effect on the target, layers by heads."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import traitlets

from residscope.analysis.scores import KINDS
from residscope.arrays import ArrayRun, Run, shaped
from residscope.experiment import Experiment
from residscope.export.figure import Figure, Map, Table
from residscope.export.words import measured, number
from residscope.fixed import Fixed
from residscope.live import wire
from residscope.live.shared import Selection
from residscope.live.widget import made_whole
from residscope.live.worker import Ticket
from residscope.quantity import mean_over
from residscope.runs.sources import head_scores
from residscope.views.base import View
from residscope.views.captions import (
    caption,
    chosen_row,
    effect_name,
    effect_words,
    ends_words,
    facts,
    mean_words,
    sum_facts,
)
from residscope.views.checks import parts_info

if TYPE_CHECKING:
    import pandas as pd

EFFECT = "direct effect"
PROMPT, REPEATS = "this prompt", "random repeats"
LISTED = 3


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

    def __init__(self, experiment: Experiment | Fixed, **traits: Any) -> None:
        self._on_repeats: dict[str, tuple[bytes, wire.Array]] = {}
        super().__init__(experiment, **traits)
        self.watch(self, ["colour", "scores_on"], self.follow_again)

    @classmethod
    @made_whole()
    def from_arrays(
        cls, values: Any, *, name: str = "value", unit: str = "", selection: Selection | None = None
    ) -> "HeadAttribution":
        """Show any number that each head has; there is no model, and no sum to check.

        Args:
            values: `[layer head]` or `[row layer head]`, an array, a tensor or nested lists; NaN where there is none.
            name: what the numbers are, for the title and the sentence.
            unit: theirs.
            selection: share this one, so that a click here selects in other views.

        Raises:
            ValueError: for another number of axes.
        """
        heads = shaped(values, "values", "layer head", "row layer head")
        rows, n_layers, n_heads = heads.shape
        numbers = {"head_attribution": lambda: torch.from_numpy(heads)}
        run = ArrayRun([[]] * rows, n_layers=n_layers, n_heads=n_heads, name=name, unit=unit, numbers=numbers)
        return cls(Fixed(run), selection=selection)

    def payload(self, trace: Run, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return `values` [row layer head], the sum check and, where asked for, `scores` [row layer head]."""
        del ticket
        values = trace.head_attribution().cpu().numpy().astype(np.float32)
        info = {
            "check": parts_info(trace),
            "heads_total": np.nansum(values.reshape(len(values), -1), 1, dtype=np.float64).tolist(),
            "unit": trace.target.unit,
            "colour": self.colour,
            "scores_on": self.scores_on,
        }
        return {"values": values} | ({} if self.colour == EFFECT else {"scores": self._scores(trace)}), info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt and head, such as "L2H5", with the score where one is shown."""
        import pandas as pd

        trace = self.trace
        values = trace.head_attribution().cpu().numpy()
        row, layer, head = np.unravel_index(np.arange(values.size), values.shape)
        columns: dict[str, Any] = {
            "row": row,
            "layer": layer,
            "head": [f"L{at}H{one}" for at, one in zip(layer, head, strict=True)],
            "value" if isinstance(trace, ArrayRun) else "direct_effect": values.reshape(-1),
            "unit": trace.target.unit,
        }
        if self.colour != EFFECT:
            columns[self.colour] = np.broadcast_to(self._scores(trace), values.shape).reshape(-1)
            columns["scores_on"] = self.scores_on
        return pd.DataFrame(columns)

    def summary(self, trace: Run) -> str:
        """Name the target, the strongest head and the selected one."""
        values, row = self._numbers(trace)
        layer, head = np.unravel_index(np.abs(np.nan_to_num(values)).argmax(), values.shape)
        mean = mean_words(self._every(trace), row)
        words = [
            f"{effect_words(trace, row)}; all heads together {number(float(np.nansum(values)), sign=True)}"
            if self.colour == EFFECT
            else f"{self._called(trace, row)}{mean and f', {mean}'}",
            "no head has a number"
            if np.isnan(values).all()
            else f"strongest L{layer}H{head} {number(float(values[layer, head]), sign=self.colour == EFFECT)}",
        ]
        chosen = self._chosen(trace)
        if chosen and chosen != (layer, head):
            words.append(f"L{chosen[0]}H{chosen[1]} {number(float(values[chosen]), sign=self.colour == EFFECT)}")
        failed = [check.reason for check in trace.sum_check() if not check.ok]
        return "; ".join([*words, *(f"sum check fails: {reason}" for reason in failed[:1])])

    def figure(self, trace: Run) -> Figure:
        """Return the map and the strongest heads."""
        every = self._every(trace)
        values, row = self._numbers(trace)
        signed = self.colour == EFFECT
        high = float(np.nanmax(np.abs(values), initial=0)) if signed else 1.0
        n_layers, n_heads = values.shape
        heads = Map(
            values,
            [f"L{layer}" for layer in range(n_layers)],
            [str(head) for head in range(n_heads)],
            "signed" if signed else "sequential",
            high,
            self.colour,
            trace.target.unit if signed else "of 1",
            ringed=self._chosen(trace),
            upward=True,
        )
        order = [int(at) for at in np.argsort(-np.nan_to_num(values.reshape(-1)), kind="stable")]
        above = [at for at in order if values.flat[at] > 0]
        below = [at for at in reversed(order) if values.flat[at] < 0]
        high_words, low_words = ends_words(trace, row)
        ends = (
            [(high_words, above[:LISTED]), (low_words, below[:LISTED])]
            if signed
            else [(f"most like {self.colour}", above[: 2 * LISTED])]
        )
        lists = [
            Table(
                words,
                [(f"L{at // n_heads}H{at % n_heads}", number(float(values.flat[at]), sign=signed)) for at in listed]
                or [("none", "")],
            )
            for words, listed in ends
        ]
        title = measured(self._called(trace, row), heads.unit)
        checked = sum_facts(trace, chosen_row(self.selection.row, len(trace.lengths)))
        told = facts(trace, mean_words(every, row), checked)
        return Figure("Heads", title, told, caption(self.summary(trace)), [heads, *lists])

    def _numbers(self, trace: Run) -> tuple[wire.Array, int | None]:
        """Return the numbers on screen [layer head] and the row they are of, None for the mean."""
        values = self._every(trace)
        row = chosen_row(self.selection.row, len(values))
        return (mean_over(values) if row is None else values[row]), row

    def _every(self, trace: Run) -> wire.Array:
        """Return the numbers that are shown, of each prompt [row layer head]."""
        return trace.head_attribution().cpu().numpy() if self.colour == EFFECT else self._scores(trace)

    def _called(self, trace: Run, row: int | None) -> str:
        return effect_name(trace, row) if self.colour == EFFECT else f"{self.colour} score on {self.scores_on}"

    def _chosen(self, trace: Run) -> tuple[int, int] | None:
        head = self.selection.head
        return head if head and head[0] < trace.n_layers and head[1] < trace.n_heads else None

    def _scores(self, trace: Run) -> wire.Array:
        """Return the score shown; on random repeats, which no prompt changes, one row for all and measured once."""
        if self.scores_on == PROMPT or isinstance(trace, ArrayRun):
            return trace.head_scores(self.colour).cpu().numpy()
        weights, scores = self._on_repeats.get(self.colour, (b"", np.empty(0)))
        if weights != trace.weights:
            scores = head_scores(self.experiment.model, self.colour)[None].cpu().numpy()
            self._on_repeats[self.colour] = trace.weights, scores
        return scores
