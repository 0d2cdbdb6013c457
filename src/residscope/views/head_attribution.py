"""Each head's direct effect on the target, or a score of its behaviour, layers by heads."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import traitlets

from residscope.analysis.scores import KINDS
from residscope.experiment import Experiment
from residscope.export.figure import Figure
from residscope.fixed import Fixed
from residscope.given import Given, Run
from residscope.inputs.interventions import AblationKind
from residscope.live import wire
from residscope.live.shared import Selection
from residscope.live.worker import Ticket
from residscope.quantity import Quantity
from residscope.runs.causal import causal_effects, known_causal_effects
from residscope.runs.sources import head_scores
from residscope.runs.trace import Trace
from residscope.views.answers import Sent
from residscope.views.base import View
from residscope.views.checks import parts_checks
from residscope.views.from_arrays import shaped
from residscope.views.quantities import payload

if TYPE_CHECKING:
    import pandas as pd

EFFECT, CAUSAL = "direct effect", "causal effect"
PROMPT, REPEATS = "this prompt", "random repeats"


class HeadAttribution(View):
    """A layers-by-heads map of direct effects on the target, in its unit; blue pushes towards the right answer.

    A click selects a head in every view that shares the selection. The sum of all parts is checked against the model's
    own logits, and the check is shown. The colours can also show how much each head behaves like a known kind of head.
    """

    title = "Heads"
    help = (
        "Each cell is one head's direct logit attribution: what the head writes into the residual stream at the "
        "position where the target is read, projected on the target's direction after the final norm (its scale held "
        "fixed). It leaves out what the head does through later layers.",
        "All parts of the model (embeddings, heads, biases, MLPs, norm) add up to the target; the sum in the title row "
        "is that check.",
        "The colours can also show causal effects: the target minus its value with the head ablated. A head with a "
        "large direct effect and a small causal effect has a backup; a head with a small direct effect and a large "
        "causal effect works through later layers. Each head needs a run of its own, so the map fills layer by layer.",
        "The colours can also show head scores, from 0 to 1: the attention that a head pays to the token before "
        "(previous token), to earlier copies of the same token (duplicate token), or to the tokens that followed them "
        "(induction). A score is the mean over all tokens that have such keys, in this prompt or in random tokens "
        "repeated once. It says where a head looks, not that the head matters here.",
        "Click a head to select it in every view. Shift-click, or the key p, pins it; x switches it off, or on again. "
        "Arrow keys move, Enter selects, Escape hides the cursor.",
    )

    colour = traitlets.Enum((EFFECT, CAUSAL, *KINDS), EFFECT).tag(sync=True, label="colour")
    """What the colours show: "direct effect", "causal effect", or a score, 0 to 1: "induction", "previous token",
    "duplicate token"."""
    off = traitlets.Enum(get_args(AblationKind), "mean").tag(
        sync=True, label="switched off", unless=("colour", EFFECT, *KINDS)
    )
    """What replaces a head to measure its causal effect: "mean", "zero" or "resample", as for `exp.ablate`."""
    scores_on = traitlets.Enum((PROMPT, REPEATS), PROMPT).tag(
        sync=True, label="measured on", unless=("colour", EFFECT, CAUSAL)
    )
    """What a score is measured on: "this prompt" or "random repeats" (`rs.head_scores`, seed 0)."""

    def __init__(self, experiment: Experiment | Fixed, **traits: Any) -> None:
        self._on_repeats: dict[str, tuple[bytes, wire.Array]] = {}
        super().__init__(experiment, **traits)

    @classmethod
    def from_arrays(
        cls, values: Any, *, name: str = "value", unit: str = "", selection: Selection | None = None
    ) -> "HeadAttribution":
        """Show any number per head, without a model or a sum to check.

        Args:
            values: `[layer head]` or `[row layer head]`, an array, a tensor or nested lists; NaN where there is none.
            name: what the numbers are, for the title and the sentence.
            unit: their unit.
            selection: a selection to share, so that a click here also selects in other views.

        Raises:
            ValueError: for the wrong number of axes.
        """
        heads = shaped(values, "values", "layer head", "row layer head")
        return cls.from_quantities([Quantity(name, heads, "row layer head", unit)], selection=selection)

    def quantities(self, trace: Trace) -> Iterator[Quantity]:
        """Yield the direct effects, or the score that is chosen [row layer head]."""
        if self.colour == EFFECT:
            yield _effects(trace)
            return
        if self.colour == CAUSAL:
            *_, effects = causal_effects(trace, self.off)
            yield self._causal(trace, effects)
            return
        yield Quantity(
            f"{self.colour} score",
            self._scores(trace),
            "row layer head",
            "of 1",
            scale="sequential",
            high=1.0,
            measured_on=self.scores_on,
            blank=f"Nothing repeats in this prompt, so it has no {self.colour} score: choose random repeats.",
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt and head, such as "L2H5", with the score where one is shown."""
        trace = self.trace
        if isinstance(trace, Given):
            return super().to_frame()
        effects = _effects(trace)
        frame = effects.frame("direct_effect")
        if self.colour == CAUSAL:
            frame["causal_effect"] = next(self.quantities(trace)).values.reshape(-1)
            frame["off"] = self.off
        elif self.colour != EFFECT:
            frame[self.colour] = np.broadcast_to(self._scores(trace), effects.values.shape).reshape(-1)
            frame["scores_on"] = self.scores_on
        return frame

    def _payloads(self, trace: Trace | Given, ticket: Ticket) -> Iterator[Sent | None]:
        """Yield causal effects as they are measured, all else at once."""
        if self.colour != CAUSAL or isinstance(trace, Given):
            yield from super()._payloads(trace, ticket)
            return
        for effects in causal_effects(trace, self.off):
            done = int((~effects[0].isnan()).any(-1).sum())
            ticket.step("causal effects, layer", done, trace.n_layers)
            yield payload([self._causal(trace, effects)], trace)

    def _shows(self, run: Trace | Given) -> list[Quantity]:
        # An effect is compared with no untouched one: it is on top of what is in force.
        return list(self.quantities(run)) if self.colour == CAUSAL and isinstance(run, Trace) else super()._shows(run)

    def _figure_now(self, trace: Run) -> Figure:
        known = isinstance(trace, Given) or self.colour != CAUSAL or known_causal_effects(trace, self.off) is not None
        return super()._figure_now(trace) if known else self._unready(trace)

    def _causal(self, trace: Trace, effects: Any) -> Quantity:
        return Quantity(CAUSAL, effects, "row layer head", trace.target.unit, measured_on=f"off: {self.off}")

    def _scores(self, trace: Trace) -> wire.Array:
        """Return the score shown; on random repeats one row stands for all, since prompts do not change it."""
        if self.scores_on == PROMPT:
            return trace.head_scores(self.colour).cpu().numpy()
        weights, scores = self._on_repeats.get(self.colour, (b"", np.empty(0)))
        if weights != trace.weights:
            scores = head_scores(self.experiment.model, self.colour)[None].cpu().numpy()
            self._on_repeats[self.colour] = trace.weights, scores
        return scores


def _effects(trace: Trace) -> Quantity:
    is_compared = trace.baseline is not trace
    return Quantity(
        EFFECT,
        trace.head_attribution(),
        "row layer head",
        trace.target.unit,
        reference=trace.baseline.head_attribution() if is_compared else None,
        moved=trace.changes().heads if is_compared else None,
        checks=parts_checks(trace),
    )
