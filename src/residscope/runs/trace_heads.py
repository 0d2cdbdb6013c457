"""The maps of one run's heads: where they look, what they take from where, and what they write."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.analysis.scores import KINDS
from residscope.errors import brief, count, whole_number
from residscope.models import TransformerBridge
from residscope.models.activations import over_patterns, whole
from residscope.models.terms import Terms
from residscope.models.weights import has_heads
from residscope.runs.head_tokens import HeadTokens, head_tokens
from residscope.runs.sources import checked_kind, scores_on, source_split, token_attribution, weighted_pattern
from residscope.runs.trace_base import TraceBase, checked_head


class TraceHeads(TraceBase):
    """A run whose heads are looked at one by one."""

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
        moves little. What an edit multiplies a head by counts; NaN where it adds to what that writes, or replaces it.

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
        there. NaN where an edit adds to what a head writes, or replaces it: that comes from no token.

        Raises:
            IndexError: for a layer or head outside the model.
            ValueError: when the target has not one term a row.
            NoSplitError: where a gate, a clip, a norm or a hook stands between the values and the heads' output.
            StaleWeightsError: when the weights have changed since this run.
        """
        layer, head = checked_head(self.n_layers, self.n_heads, layer, head)
        self._check_one_a_row()
        split = self._of_layer(
            "split", layer, lambda twin: source_split(twin, self._run, self._recording, self.target, layer)
        )
        return split if head is None else split[:, head]

    def token_attribution(self) -> Float[Tensor, "row layer head key"]:
        """Return what each head takes from each token to where the target is read, in the target's unit.

        Positive pushes towards the right answer; over keys it sums to `head_attribution`, over layers and heads too it
        is the attribution per token. It credits the position a head looks at, which may hold more than its own token.
        NaN at padding, for layers without heads, and where an edit adds to what a head writes, or replaces it.

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
            position: in the row's own tokens; None is where the target is (first) read.
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
        places = list(zip(self.target.term_rows, self.target.positions, strict=True))
        at = next((own for of, own in places if of == row), None) if position is None else whole_number(position)
        if at is None or not 0 <= at < self.lengths[row]:
            has = count(self.lengths[row], "token")
            raise IndexError(f"there is no position {brief(position)}: this prompt has {has}")
        # Where the target is read, what is needed has been recorded.
        place = places.index((row, at)) if (row, at) in places else Terms.of([row], [at], self.tokens.device)

        def compute(twin: TransformerBridge) -> HeadTokens:
            if not has_heads(twin, layer):
                raise IndexError(f"layer {layer} has no attention heads")
            return head_tokens(twin, self._run, self._recording, place, layer, own, k)

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

    def _blanked(self, pattern: Float[Tensor, "row head query key"]) -> Float[Tensor, "row head query key"]:
        real = self.mask[:, None, :, None] & self.mask[:, None, None, :]
        return pattern.masked_fill(~real.to(pattern.device), torch.nan)

    def _of_layer(self, kind: str, layer: int, compute: Callable[[TransformerBridge], Tensor]) -> Tensor:
        """Return what is computed of one layer [row head query key] on demand."""

        def of_heads(twin: TransformerBridge) -> Tensor:
            if has_heads(twin, layer):
                return self._blanked(compute(twin))
            rows, width = self.tokens.shape
            return self.logits.new_full((rows, self.n_heads, width, width), torch.nan)

        return self._memory.of((kind, layer), of_heads)
