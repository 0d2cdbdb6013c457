"""One frozen run: its tokens, its activations, and the numbers computed from them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.analysis.check import Check, LayerCheck, sum_check
from residscope.errors import InputError, count
from residscope.inputs.interventions import NOT_OF_A_CACHE
from residscope.inputs.reader import Inputs
from residscope.inputs.target import Target
from residscope.models import TransformerBridge
from residscope.models.activations import LiveRun, Step, pad_right
from residscope.models.edits import Edit, place
from residscope.models.facts import facts_of
from residscope.models.placement import home_of
from residscope.models.recording import recall, record
from residscope.models.terms import Terms
from residscope.models.twin import Twin, twin_of
from residscope.models.windows import windows_of
from residscope.runs.changes import FINAL_NORM, Changes, by_label, changes_between
from residscope.runs.decomposition import Decomposition, check_layers, decompose
from residscope.runs.interventions import edits_of
from residscope.runs.memory import Memory, StaleWeightsError
from residscope.runs.resolve import resolve, spelling_warnings
from residscope.runs.trace_heads import TraceHeads
from residscope.runs.trace_lens import TraceLens

PATTERN_BYTES = 4 * 2**20
"""A run's patterns up to this packed size are kept and sent with it; larger ones are sent on demand."""


@dataclass(frozen=True)
class ComponentAttribution:
    """The direct effect of every part of the final residual stream on the target.

    Attributes:
        labels: `embed`, `pos_embed`, for each layer `L0.attn` (the sum of its heads), `L0.attn_bias` and `L0.mlp`, then
            `norm_bias`, `unembed_bias`, and `entropy` for a log-probability. What an edit adds has a row of its own:
            `L0.attn_edit`, `L0.mlp_edit`, and `L0.resid_pre_edit` for an edit of the residual stream, the stream after
            it minus the stream before. What an edit multiplies is in the part's own row.
        values: `[group component]`, in the target's unit, positive towards the right answer. They sum to the target.
    """

    labels: list[str]
    values: Float[Tensor, "group component"]

    def along(self, labels: Sequence[str]) -> Float[Tensor, "group component"]:
        """Return the values in the order of these labels: 0 for what only an edit adds, NaN for what is not a part."""
        values = by_label(self.labels, self.values, labels)
        not_parts = torch.tensor([label == FINAL_NORM for label in labels], device=values.device)
        return values.masked_fill(not_parts, torch.nan)


class Trace(TraceLens, TraceHeads):
    """One run of a model on a batch of prompts, frozen.

    `Experiment` makes it, and it never changes. Each method computes once and remembers the result. Tensors are on the
    model's device.

    Attributes:
        number: the run's number in its experiment; 0 for `Experiment.run`.
        inputs: the inputs of the run.
        edits: the interventions that the run was made with; all its numbers include their effect.
        tokens: `[row pos]`, right-padded.
        mask: `[row pos]`, True at real tokens.
        target: the number being explained; without answers, it is found in this run.
        target_is_models_own: whether no answers were given, so that it is the model's top token against its second.
        target_value: `[group]`, the target on the model's own logits, in its unit; usually one group per row.
        n_kv_heads: how many key and value heads a layer has, which its query heads share evenly.
        windows: how far each layer's attention can look back, None where there is no limit.
        cache_mismatch: where the activations of `Experiment.from_cache` first differ from the model's own; the numbers
            are then the cache's. Empty for a run that the model made.
    """

    is_causal = True

    def __init__(
        self,
        model: TransformerBridge,
        inputs: Inputs,
        *,
        target: Target | None = None,
        number: int = 0,
        edits: Sequence[Edit] = (),
        baseline: "Trace | None" = None,
        step: Step = lambda _done, _of: None,
    ) -> None:
        self.number = number
        self.inputs = inputs
        self.edits = tuple(edits)
        self._untouched = baseline
        self._check_edits(target)
        self.facts = facts_of(model)
        self.n_layers = int(model.cfg.n_layers)
        self.n_heads = int(model.cfg.n_heads)
        self.n_kv_heads = int(getattr(model.cfg, "n_key_value_heads", None) or self.n_heads)
        self._d_vocab = int(model.cfg.d_vocab)
        # The twin holds the model weakly, and a trace must keep working when nothing else holds it.
        self._model = model
        self._twin: Twin = twin_of(model)
        with self._twin.use() as twin:
            device = home_of(twin)
            self.tokens, self.mask = pad_right(inputs.tokens, device)
            placed = place(self.edits, twin, self.lengths)
            rows, positions = (
                (target.term_rows, target.positions) if target else (range(len(self.lengths)), inputs.positions)
            )
            terms = Terms.of(rows, positions, device)
            self._memory = Memory(self._twin, self._twin.weights)
            self.windows = windows_of(twin)
            self._run = inputs.cached or LiveRun(self.tokens, placed)
            keep = self.patterns_sent_with_run
            self._recording = (
                record(twin, self.tokens, terms, keep_patterns=keep, edits=placed, step=step)
                if inputs.cached is None
                else recall(twin, self._run, terms, keep_patterns=keep)
            )
        if not self._recording.logits.isfinite().all():
            raise FloatingPointError(
                "the model's logits are not finite (NaN or infinity) where the target is read, so this run has no "
                "numbers: check the weights, or load the model with dtype=torch.float32"
            )
        self.target = target or resolve(inputs, self._recording.logits)
        self.target_is_models_own: bool = (
            target is None and inputs.answers is None if baseline is None else baseline.target_is_models_own
        )
        self.target_value = self.target.value(self._recording.logits.float())
        self.cache_mismatch: str = inputs.cached.difference if inputs.cached else ""
        # Which spelling is likelier is a question about the untouched run.
        untouched = self.target.is_one_a_row and not self.edits
        self._spellings = spelling_warnings(inputs, self._recording.logits) if untouched else []

    def __repr__(self) -> str:
        rows = ", ".join(
            f"{name} = {value:.4g} {self.target.unit}"
            for name, value in zip(self.target.names, self.target_value.tolist(), strict=True)
        )
        return f"<Trace of run {self.number}: {self.facts.name}, {count(len(self.lengths), 'row')}, {rows}>"

    @property
    def baseline(self) -> "Trace":
        """Return the untouched run of the same inputs, or the run itself if it has no interventions."""
        return self if self._untouched is None else self._untouched

    @property
    def warnings(self) -> list[str]:
        """Return the warnings about this run, one sentence each."""
        return [*self.facts.warnings, *self.inputs.warnings, *self._spellings]

    @property
    def hand_made_target(self) -> Target | None:
        """Return the target if it was made by hand."""
        return None if self.target_is_models_own or self.inputs.answers is not None else self.target

    def asked_again(self, inputs: Inputs, number: int) -> "Trace":
        """Return this run for the same inputs under another number; both share what has been computed."""
        other = copy.copy(self)
        other.inputs, other.number = inputs, number
        return other

    def intervened(self, inputs: Inputs, *, number: int, step: Step) -> "Trace":
        """Run the inputs of this untouched run with their interventions, with the same target.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        edits = edits_of(inputs, self._memory)
        run = Trace(self._model, inputs, target=self.target, number=number, edits=edits, baseline=self, step=step)
        if run.weights != self.weights:
            raise StaleWeightsError
        return run

    def is_of(self, model: TransformerBridge) -> bool:
        """Tell whether the model would still give this run."""
        return model is self._model and self._memory.is_current()

    @property
    def patterns_sent_with_run(self) -> bool:
        """Tell whether all patterns of this run are small enough to be kept and sent with it."""
        maps = self.n_layers * self.n_heads
        # Kept, they are padded squares, in twice the bytes.
        kept = 4 * maps * len(self.lengths) * max(self.lengths) ** 2
        return sent_with_run(maps, self.lengths) and kept <= 4 * PATTERN_BYTES + 2**16

    def head_attribution(self) -> Float[Tensor, "group layer head"]:
        """Return each head's direct effect on the target, in its unit; positive pushes towards the right answer.

        This is direct logit attribution (Elhage et al. 2021, Wang et al. 2023): what the head writes where the target
        is read, minus what it writes whatever it attends to, through the final norm with its scale frozen.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._decomposed().heads

    def component_attribution(self) -> ComponentAttribution:
        """Return the direct effect of every part of the final residual stream; the effects sum to the target.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        parts = self._decomposed()
        return ComponentAttribution(parts.labels, parts.values)

    def sum_check(self) -> list[Check]:
        """Compare the sum of all parts with the target on the model's own logits, one check per group.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        values = self.component_attribution().values
        return sum_check(values, self.target_value, self._decomposed().cancelled, self.logits.dtype)

    def layer_check(self) -> list[LayerCheck]:
        """Compare the sum of each layer's parts, as vectors, with what the layer adds; return each term's worst layer.

        In 16-bit precision the sum check can miss an absent part; this check cannot.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._memory.of(("layers",), lambda twin: check_layers(twin, self._recording, self.weights))

    def changes(self) -> Changes:
        """Return how the interventions change each part's direct effect, now minus before, in the target's unit.

        Both are read along the untouched run's direction and at its final norm's scale; the effect of the changed scale
        has a row of its own, and the rows sum to the target's change. Later parts whose effect grows compensate for the
        intervention (self-repair; McGrath et al. 2023). Without interventions all changes are 0.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._memory.of(("changes",), self._changes)

    def what_answered(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the later heads and MLPs whose direct effect changed most, with the change, the largest first.

        Changes are at the untouched run's scale, in the target's unit, averaged over rows. Only parts in later layers
        than the first intervention count. Without interventions the list is empty.

        Args:
            k: the most to return.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        if not self.edits:
            return []
        first = min(edit.site.layer for edit in self.edits)
        changes = self.changes()
        columns = dict(zip(changes.labels, changes.values.mean(0).tolist(), strict=True))
        heads = changes.heads.mean(0)
        later = range(first + 1, self.n_layers)
        moved = {f"L{layer}H{head}": float(heads[layer, head]) for layer in later for head in range(self.n_heads)}
        moved |= {f"L{layer}.mlp": columns[f"L{layer}.mlp"] for layer in later}
        known = [(name, change) for name, change in moved.items() if change == change and change]
        return sorted(known, key=lambda one: -abs(one[1]))[:k]

    def top_heads(self, k: int = 5) -> list[str]:
        """Return the names of the heads with the largest direct effects of either sign, averaged over rows.

        Args:
            k: the most to return.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        effects = self.head_attribution().mean(0).abs().flatten().nan_to_num(-1)
        order = effects.argsort(descending=True, stable=True)[: max(0, k)]
        return [f"L{at // self.n_heads}H{at % self.n_heads}" for at in order.tolist() if effects[at] >= 0]

    def _changes(self, twin: TransformerBridge) -> Changes:
        before = self.baseline
        read_as = decompose(twin, self._recording, self.target, self.weights, read_as=before._recording)
        moved = self.target_value - before.target_value
        return changes_between(before._decomposed(), self._decomposed(), read_as, moved, self.logits.dtype)

    def _check_edits(self, target: Target | None) -> None:
        if self.edits and self.inputs.cached is not None:
            raise InputError("interventions", NOT_OF_A_CACHE)
        if self.edits and target is None and self.inputs.answers is None:
            raise InputError(
                "target", "a run with interventions needs the target of the untouched run: give target=that.target"
            )

    def _decomposed(self) -> Decomposition:
        return self._memory.of(("parts",), lambda twin: decompose(twin, self._recording, self.target, self.weights))


def sent_with_run(maps: int, lengths: Sequence[int]) -> bool:
    """Tell whether this many maps of rows of these lengths, packed as float16 triangles, are sent with the run."""
    return 2 * maps * sum(length * (length + 1) // 2 for length in lengths) <= PATTERN_BYTES
