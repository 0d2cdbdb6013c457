"""The heads of one run: where they attend, what they move from each token, and what they write."""

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
    """A run, read head by head."""

    def attention(self, layer: int, head: int | None = None) -> Tensor:
        """Return the attention pattern of a layer's heads, or of one head: `[row (head) query key]`, NaN at padding.

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

        The length is that of the value after W_O, without its constant part, in the residual stream's unit (Kobayashi
        et al. 2020). A head that attends strongly to a token with a small value moves little. An edit that multiplies
        a head's output counts; NaN where an edit adds to that output or replaces it.

        Raises:
            IndexError: for a layer or head outside the model.
            NoSplitError: where a gate, a clip, a norm or a hook stands between the values and the heads' output.
            StaleWeightsError: when the weights have changed since this run.
        """
        layer, head = checked_head(self.n_layers, self.n_heads, layer, head)
        weighted = self._of_layer("weighted", layer, lambda twin: weighted_pattern(twin, self._run, layer))
        return weighted if head is None else weighted[:, head]

    def source_split(self, layer: int, head: int | None = None) -> Tensor:
        """Return what a layer's heads, or one head, move from each key to each query: `[row (head) query key]`.

        It is in the target's unit, positive towards the right answer. At the query where the target is read, it sums
        over keys to the head's direct effect; at other queries, it is what the head would add if the target were read
        there. NaN where an edit adds to a head's output or replaces it, because that comes from no token.

        Raises:
            IndexError: for a layer or head outside the model.
            ValueError: when the target does not have one term per row.
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
        """Return what each head moves from each token to where the target is read: `[row layer head key]`.

        It is in the target's unit, positive towards the right answer. Summed over keys it is `head_attribution`; summed
        over layers and heads it is the attribution of each token. It credits the position that a head attends to, which
        may hold more than its own token. NaN at padding, for layers without heads, and where an edit adds to a head's
        output or replaces it.

        Raises:
            NoSplitError: where a gate, a clip, a norm or a hook stands between the values and the heads' output.
            StaleWeightsError: when the weights have changed since this run.
        """

        def compute(twin: TransformerBridge) -> Tensor:
            split = token_attribution(twin, self._run, self._recording, self.target, self.tokens)
            return split.masked_fill(~self.mask[:, None, None, :].to(split.device), torch.nan)

        return self._memory.of(("sources",), compute)

    def head_tokens(self, layer: int, head: int, row: int = 0, position: int | None = None, k: int = 10) -> HeadTokens:
        """Return the tokens that a head promotes and suppresses most at a position, in logits.

        The head's output goes through the final norm, with that position's scale frozen, and the unembedding. The mean
        over the vocabulary is subtracted, which changes no probability. This is the direct path alone: later layers
        also read what the head writes and may change what comes of it.

        Args:
            layer: the head's layer.
            head: the head within the layer.
            row: the prompt.
            position: counted in the row's own tokens; None is where the target is (first) read.
            k: how many tokens to return of each kind.

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
        """Return how much each head behaves like a known kind on this run's tokens: `[row layer head]`, from 0 to 1.

        This is the attention to the keys that such a head looks at, averaged over the queries that have any: for
        "previous token" the token before, for "duplicate token" earlier copies of the same token, for "induction" the
        tokens that followed them (Olsson et al. 2022, Wang et al. 2023). A BOS that begins all prompts never counts.
        NaN where no token repeats and for layers without attention heads. `rs.head_scores` measures the same on random
        repeats.

        Raises:
            ValueError: for an unknown kind.
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
        """Compute one layer's maps on demand [row head query key]."""

        def of_heads(twin: TransformerBridge) -> Tensor:
            if has_heads(twin, layer):
                return self._blanked(compute(twin))
            rows, width = self.tokens.shape
            return self.logits.new_full((rows, self.n_heads, width, width), torch.nan)

        return self._memory.of((kind, layer), of_heads)
