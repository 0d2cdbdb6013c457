"""One frozen run: its tokens, its activations, and the numbers read off them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from residscope.analysis.check import Check, LayerCheck, sum_check
from residscope.analysis.scores import KINDS
from residscope.errors import brief, count, whole_number
from residscope.inputs.reader import Inputs
from residscope.inputs.target import Target
from residscope.models import TransformerBridge
from residscope.models.facts import ModelFacts, facts_of
from residscope.models.placement import home_of
from residscope.models.recording import (
    Activations,
    LiveRun,
    Recording,
    Step,
    over_patterns,
    pad_right,
    recall,
    record,
    whole,
)
from residscope.models.twin import Twin, twin_of
from residscope.models.weights import has_heads
from residscope.models.windows import Window, windows_of
from residscope.runs.decomposition import Decomposition, check_layers, decompose
from residscope.runs.head_tokens import HeadTokens, head_tokens
from residscope.runs.lens import LensCells, LensReadout, LensTarget, read_cells, read_curve, read_target
from residscope.runs.memory import Memory
from residscope.runs.resolve import resolve, spelling_warnings
from residscope.runs.sources import checked_kind, scores_on, source_split, token_attribution, weighted_pattern

PATTERN_BYTES = 4 * 2**20
"""Patterns of a run up to this size, packed as the browser gets them, are kept and travel ahead; above, on demand."""


@dataclass(frozen=True)
class ComponentAttribution:
    """The direct effect of every part of the final residual stream on the target.

    Attributes:
        labels: `embed`, `pos_embed`, per layer `L0.attn` (the sum of its heads), `L0.attn_bias`, `L0.mlp`, then
            `norm_bias`, `unembed_bias`, and `entropy` for a log-probability.
        values: in the target's unit, positive towards the right answer. They sum to the target.
    """

    labels: list[str]
    values: Float[Tensor, "row component"]


class Trace:
    """One run of a model on a batch of prompts, frozen.

    Made by `Experiment`; never edited. Its methods compute once and remember. Tensors stand on the model's device.

    Attributes:
        number: the run's number in its experiment, 0 for a pure question (`Experiment.run`).
        inputs: what was asked.
        tokens: `[row pos]`, right-padded.
        mask: `[row pos]`, True at real tokens.
        target: what is explained, resolved on this run when no answers were given.
        target_is_models_own: whether it is the model's top token against its second, for want of answers.
        target_value: `[row]`, the target on the model's own logits.
        n_kv_heads: how many heads of keys and values a layer has, which its heads share evenly.
        windows: how far each layer's attention may look back, None where it has no limit.
        cache_mismatch: where the activations of `Experiment.from_cache` differ from what the model does; the numbers
            are those of the cache then. Empty for a run that the model made.
        warnings: what the reader should know, one sentence each.
    """

    is_causal = True

    def __init__(
        self,
        model: TransformerBridge,
        inputs: Inputs,
        *,
        target: Target | None = None,
        number: int = 0,
        step: Step = lambda _done, _of: None,
    ) -> None:
        self.number = number
        self.inputs = inputs
        self.facts: ModelFacts = facts_of(model)
        self.n_layers = int(model.cfg.n_layers)
        self.n_heads = int(model.cfg.n_heads)
        self.n_kv_heads = int(getattr(model.cfg, "n_key_value_heads", None) or self.n_heads)
        self._d_vocab = int(model.cfg.d_vocab)
        # The twin holds the model weakly, and a trace must go on answering when nobody else holds it.
        self._model = model
        self._twin: Twin = twin_of(model)
        with self._twin.use() as twin:
            self.tokens: Int[Tensor, "row pos"]
            self.mask: Bool[Tensor, "row pos"]
            device = home_of(twin)
            self.tokens, self.mask = pad_right(inputs.tokens, device)
            read = torch.tensor(target.positions if target else inputs.positions, device=device)
            self._memory = Memory(self._twin, self._twin.fingerprint(twin))
            self.windows: tuple[Window | None, ...] = windows_of(twin)
            self._run: Activations = inputs.cached or LiveRun(self.tokens)
            self._recording: Recording = (
                record(twin, self.tokens, read, keep_patterns=self.patterns_sent_with_run, step=step)
                if inputs.cached is None
                else recall(twin, self._run, read, keep_patterns=self.patterns_sent_with_run)
            )
        if not self._recording.logits.isfinite().all():
            raise FloatingPointError(
                "the model's logits are not finite (NaN or infinity) where the target is read, so nothing can be said "
                "of this run: check the weights, or load the model with dtype=torch.float32"
            )
        self.target: Target = target or resolve(inputs, self._recording.logits)
        self.target_is_models_own: bool = target is None and inputs.answers is None
        self.target_value: Float[Tensor, "row"] = self.target.value(self._recording.logits.float())
        self.cache_mismatch: str = inputs.cached.difference if inputs.cached else ""
        self.warnings: list[str] = [
            *self.facts.warnings,
            *inputs.warnings,
            *spelling_warnings(inputs, self._recording.logits),
        ]

    def __repr__(self) -> str:
        rows = ", ".join(
            f"{name} = {value:.4g} {self.target.unit}"
            for name, value in zip(self.target.names, self.target_value.tolist(), strict=True)
        )
        return f"<Trace of run {self.number}: {self.facts.name}, {count(len(self.lengths), 'row')}, {rows}>"

    @property
    def weights(self) -> bytes:
        """Return a fingerprint of the weights that the run was made with."""
        return self._memory.weights

    @property
    def lengths(self) -> tuple[int, ...]:
        """Return the number of real tokens of each row."""
        return tuple(len(row) for row in self.inputs.tokens)

    @property
    def str_tokens(self) -> list[list[str]]:
        """Return each row's tokens as text, one string a token."""
        return [[self.decode(token) for token in row] for row in self.inputs.tokens]

    @property
    def depths(self) -> list[str]:
        """Name the places where the residual stream is read: `embed`, `0.mid`, `0.post`, ..., `output`."""
        names = [name for layer in range(self.n_layers) for name in (f"{layer}.mid", f"{layer}.post")]
        return ["embed", *names[:-1], "output"]

    @property
    def logits(self) -> Float[Tensor, "row d_vocab"]:
        """Return the model's own logits where the target is read."""
        return self._recording.logits

    @property
    def patterns_sent_with_run(self) -> bool:
        """Tell whether all patterns of this run are small enough to be kept and sent at once."""
        maps = self.n_layers * self.n_heads
        # Kept, they are padded squares, in twice the bytes.
        kept = 4 * maps * len(self.lengths) * max(self.lengths) ** 2
        return sent_with_run(maps, self.lengths) and kept <= 4 * PATTERN_BYTES + 2**16

    @property
    def vocabulary_size(self) -> int:
        """Return the number of tokens in the vocabulary."""
        return self._d_vocab

    @property
    def special_ids(self) -> frozenset[int]:
        """Return the ids of the tokenizer's special tokens."""
        return self.inputs.vocabulary.special_ids

    def decode(self, token: int) -> str:
        """Return one token's text, with the space that it begins with, as it is within a text.

        A token that is part of a character gives U+FFFD, one without text "<id 5012>".
        """
        return self.inputs.vocabulary.decode(token)

    def vocabulary_entry(self, token: int) -> str:
        """Return one token's entry in the vocabulary."""
        return self.inputs.vocabulary.entry(token)

    def head_attribution(self) -> Float[Tensor, "row layer head"]:
        """Return each head's direct effect on the target, in its unit; positive pushes towards the right answer.

        A head's part is what it writes at the read position, less what it writes whatever it attends to, through the
        final norm with its scale frozen (direct logit attribution; Elhage et al. 2021, Wang et al. 2023).

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._decomposed().heads

    def component_attribution(self) -> ComponentAttribution:
        """Return the direct effect of every part of the final residual stream; the parts sum to the target.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        parts = self._decomposed()
        return ComponentAttribution(parts.labels, parts.values)

    def sum_check(self) -> list[Check]:
        """Compare the sum of all parts with the target read off the model's own logits, one check a row.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        values = self.component_attribution().values
        return sum_check(values, self.target_value, self._decomposed().weighted_logits, self.logits.dtype)

    def layer_check(self) -> list[LayerCheck]:
        """Compare what each layer's parts add, as vectors, with what the layer adds; the worst layer of each row.

        A sum of 16-bit numbers cannot tell that one part is missing; this can.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._memory.of(("layers",), lambda twin: check_layers(twin, self._recording, self.weights))

    def logit_lens(self, k: int = 10, *, step: Step = lambda _done, _of: None) -> LensReadout:
        """Read the residual stream at each depth through the model's own final norm and unembedding.

        The logit lens (nostalgebraist 2020): the last depth is the model's output, and that is checked. Early depths
        need not speak the unembedding's language.

        Args:
            k: how many of the likeliest tokens to keep.
            step: called with (vectors done, vectors in all); may raise to stop.

        Raises:
            ValueError: when k is not between 1 and the size of the vocabulary.
            StaleWeightsError: when the weights have changed since this run.
        """
        cells = [self.lens_cells(row, 0, length, k, step=step) for row, length in enumerate(self.lengths)]
        target = self.lens_target()

        def padded(name: str, blank: float) -> Tensor:
            parts = [getattr(part, name).transpose(0, 1) for part in cells]
            return pad_sequence(parts, batch_first=True, padding_value=blank).transpose(1, 2)

        return LensReadout(
            padded("top_ids", -1),
            padded("top_probs", torch.nan),
            padded("entropy", torch.nan),
            target.value,
            target.rank,
            target.checks,
        )

    def lens_cells(
        self, row: int, start: int, stop: int, k: int = 10, *, step: Step = lambda _done, _of: None
    ) -> LensCells:
        """Read the lens at some positions of one row, at all depths.

        Args:
            row: the prompt.
            start: the first position.
            stop: one more than the last.
            k: how many of the likeliest tokens to keep.
            step: called with (vectors done, vectors in all); may raise to stop.

        Raises:
            IndexError: for a row or positions that this run does not have.
            ValueError: when k is not between 1 and the size of the vocabulary.
            StaleWeightsError: when the weights have changed since this run.
        """
        row, k = self._checked_cell(row, k)
        if not 0 <= start < stop <= self.lengths[row]:
            has = count(self.lengths[row], "token")
            raise IndexError(f"there are no positions {start} to {stop}: this prompt has {has}")
        resid = self._recording.resid[:, row, start:stop]
        return self._memory.of(
            ("cells", row, start, stop, k), lambda twin: read_cells(twin, resid, self._d_vocab, k, step)
        )

    def lens_target(self) -> LensTarget:
        """Read the target through the lens at each depth, at the position it is read, with the check of the last.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._memory.of(
            ("lens target",), lambda twin: read_target(twin, self._recording.resid, self.target, self.logits)
        )

    def target_curve(self, *, step: Step = lambda _done, _of: None) -> Float[Tensor, "row depth pos"]:
        """Read the target through the lens at each depth and position, as if it were read there; NaN at padding.

        Of answers only their own logits are computed, so that a long prompt costs little; of a log-probability those
        of the whole vocabulary.

        Args:
            step: called with (depths done, depths of all rows); may raise to stop.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._memory.of(
            ("curve",),
            lambda twin: read_curve(twin, self._recording.resid, self.target, self.mask, self._d_vocab, step),
        )

    def attention(self, layer: int, head: int | None = None) -> Tensor:
        """Return where a layer's heads look, or one head's: `[row (head) query key]`, NaN at padding.

        Each query's weights over keys sum to 1.

        Raises:
            IndexError: for a layer or head outside the model.
            StaleWeightsError: when the weights have changed since this run.
        """
        layer, head = checked_head(self.n_layers, self.n_heads, layer, head)
        kept = self._recording.patterns
        if kept is None:
            pattern = self._of_layer(
                "pattern", layer, lambda twin: over_patterns(twin, self._run, [layer], whole)[layer]
            )
        else:
            pattern = self._blanked(kept[layer])
        return pattern if head is None else pattern[:, head]

    def value_weighted(self, layer: int, head: int | None = None) -> Tensor:
        """Return each attention weight times the length of the value it moves: `[row (head) query key]`.

        The value's part is what it holds beyond a constant, and its length that of the vector which W_O writes, in
        the residual stream's unit (Kobayashi et al. 2020). A head that looks hard at a token whose value is small
        moves little.

        Raises:
            IndexError: for a layer or head outside the model.
            NoSplitError: where a gate, a clip, a norm or a hook stands between the values and the heads' output.
            StaleWeightsError: when the weights have changed since this run.
        """
        layer, head = checked_head(self.n_layers, self.n_heads, layer, head)
        weighted = self._of_layer("weighted", layer, lambda twin: weighted_pattern(twin, self._run, layer))
        return weighted if head is None else weighted[:, head]

    def source_split(self, layer: int, head: int | None = None) -> Tensor:
        """Return what a layer's heads move from each key to each query, along the target: `[row (head) query key]`.

        In the target's unit, positive towards the right answer. At the query where the target is read it sums over
        keys to the head's direct effect; at other queries it says what the head would add if the target were read
        there.

        Raises:
            IndexError: for a layer or head outside the model.
            NoSplitError: where a gate, a clip, a norm or a hook stands between the values and the heads' output.
            StaleWeightsError: when the weights have changed since this run.
        """
        layer, head = checked_head(self.n_layers, self.n_heads, layer, head)
        split = self._of_layer(
            "split", layer, lambda twin: source_split(twin, self._run, self._recording, self.target, layer)
        )
        return split if head is None else split[:, head]

    def token_attribution(self) -> Float[Tensor, "row layer head key"]:
        """Return what each head takes from each token to where the target is read, in the target's unit.

        Positive pushes towards the right answer; over keys it sums to `head_attribution`, over layers and heads too it
        is the attribution per token. It credits the position a head looks at, which may hold more than its own token.
        NaN at padding and for layers without attention heads.

        Raises:
            NoSplitError: where a gate, a clip, a norm or a hook stands between the values and the heads' output.
            StaleWeightsError: when the weights have changed since this run.
        """

        def compute(twin: TransformerBridge) -> Tensor:
            split = token_attribution(twin, self._run, self._recording, self.target, self.tokens)
            return split.masked_fill(~self.mask[:, None, None, :].to(split.device), torch.nan)

        return self._memory.of(("sources",), compute)

    def head_tokens(self, layer: int, head: int, row: int = 0, position: int | None = None, k: int = 10) -> HeadTokens:
        """Read what a head writes at a position as tokens: those it promotes and suppresses most, in logits.

        The head's part goes through the final norm, with that position's scale frozen, and the unembedding; the
        vocabulary's mean is left out, which changes no probability. It is the direct path alone: later layers read
        what the head writes, too, and may make something else of it.

        Args:
            layer: the head's.
            head: its number.
            row: the prompt.
            position: in the row's own tokens; None is where the target is read.
            k: how many tokens of either kind.

        Raises:
            IndexError: for a layer, head, prompt or position that this run does not have, or a layer without heads.
            ValueError: when k is not between 1 and the size of the vocabulary.
            StaleWeightsError: when the weights have changed since this run.
        """
        layer, own = checked_head(self.n_layers, self.n_heads, layer, head)
        if own is None:
            raise IndexError(f"there is no head None: this model has heads 0 to {self.n_heads - 1}")
        row, k = self._checked_cell(row, k)
        at = self.target.positions[row] if position is None else whole_number(position)
        if at is None or not 0 <= at < self.lengths[row]:
            has = count(self.lengths[row], "token")
            raise IndexError(f"there is no position {brief(position)}: this prompt has {has}")
        # Where the target is read, what is needed has been recorded.
        elsewhere = at != self.target.positions[row]
        read = self.tokens.new_tensor([min(at, length - 1) for length in self.lengths]) if elsewhere else None

        def compute(twin: TransformerBridge) -> HeadTokens:
            if not has_heads(twin, layer):
                raise IndexError(f"layer {layer} has no attention heads")
            return head_tokens(twin, self._run, self._recording, read, row, layer, own, k)

        return self._memory.of(("writes", layer, own, row, at, k), compute)

    def head_scores(self, kind: str) -> Float[Tensor, "row layer head"]:
        """Return how much each head behaves like one of a kind on this run's own tokens, from 0 to 1.

        The attention paid to the keys that such a head looks at, averaged over the queries that have any: for
        "previous token" the token before, for "duplicate token" earlier occurrences of the same token, for
        "induction" what followed them (Olsson et al. 2022, Wang et al. 2023). A BOS that all prompts begin with never
        counts. NaN where nothing repeats and for layers without attention heads. `rs.head_scores` measures on random
        repeats.

        Raises:
            ValueError: for a kind that there is not.
            StaleWeightsError: when the weights have changed since this run.
        """
        bos = self.inputs.vocabulary.bos
        first = int(bos is not None and all(row[0] == bos for row in self.inputs.tokens))
        kept = self._recording.patterns
        of_kinds = self._memory.of(
            ("scores",), lambda twin: scores_on(twin, self._run, KINDS, self.tokens, self.mask, first, kept)
        )
        return of_kinds[checked_kind(kind)]

    def _checked_cell(self, row: int, k: int) -> tuple[int, int]:
        of_row, most = whole_number(row), whole_number(k)
        if most is None or not 1 <= most <= self._d_vocab:
            raise ValueError(f"k is {brief(k)}: give 1 to {self._d_vocab}, the size of the vocabulary")
        if of_row is None or not 0 <= of_row < len(self.lengths):
            raise IndexError(f"there is no prompt {brief(row)}: this run has prompts 0 to {len(self.lengths) - 1}")
        return of_row, most

    def _decomposed(self) -> Decomposition:
        return self._memory.of(("parts",), lambda twin: decompose(twin, self._recording, self.target, self.weights))

    def _blanked(self, pattern: Float[Tensor, "row head query key"]) -> Float[Tensor, "row head query key"]:
        real = self.mask[:, None, :, None] & self.mask[:, None, None, :]
        return pattern.masked_fill(~real.to(pattern.device), torch.nan)

    def _of_layer(self, kind: str, layer: int, compute: Callable[[TransformerBridge], Tensor]) -> Tensor:
        """Return what is computed of one layer [row head query key] on demand; only the newest few are kept."""

        def of_heads(twin: TransformerBridge) -> Tensor:
            if has_heads(twin, layer):
                return self._blanked(compute(twin))
            rows, width = self.tokens.shape
            return self.logits.new_full((rows, self.n_heads, width, width), torch.nan)

        return self._memory.of_passing((kind, layer), of_heads)


def sent_with_run(maps: int, lengths: Sequence[int]) -> bool:
    """Tell whether so many maps of rows of these lengths, packed as triangles of float16, go to the browser at once."""
    return 2 * maps * sum(length * (length + 1) // 2 for length in lengths) <= PATTERN_BYTES


def checked_head(n_layers: int, n_heads: int, layer: int, head: int | None) -> tuple[int, int | None]:
    """Return a layer and a head counted from 0, negative ones from the end.

    Raises:
        IndexError: for those that a model of this size does not have.
    """
    known, own = whole_number(layer), whole_number(head)
    if known is None or not -n_layers <= known < n_layers:
        raise IndexError(f"there is no layer {brief(layer)}: this model has layers 0 to {n_layers - 1}")
    if head is not None and (own is None or not -n_heads <= own < n_heads):
        raise IndexError(f"there is no head {brief(head)}: this model has heads 0 to {n_heads - 1}")
    return known % n_layers, None if own is None else own % n_heads
