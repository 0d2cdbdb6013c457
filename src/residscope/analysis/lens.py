"""The logit lens: what the model would say if it stopped at a depth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

Unembed = Callable[[Tensor], Tensor]
"""Residual vectors [n d_model] to logits [n d_vocab], by the model's own norm, unembedding and cap."""

CHUNK_BYTES = 48 * 2**20
"""Logits held at once: the whole grid of a long prompt would be hundreds of megabytes, and for a few vectors at a time
the matrix product takes half as long again."""

_AT_ONCE = 8
"""Vectors whose logits are summed up at once, since that takes room for more of the same size."""


@dataclass(frozen=True)
class LensColumns:
    """The k most likely tokens of residual vectors, their probabilities, and the entropy in nats."""

    top_ids: Int[Tensor, "n k"]
    top_probs: Float[Tensor, "n k"]
    entropy: Float[Tensor, "n"]


def read_out(
    resid: Float[Tensor, "n d_model"], unembed: Unembed, d_vocab: int, k: int, step: Callable[[int, int], None]
) -> LensColumns:
    """Read residual vectors through the lens, some megabytes of logits at a time.

    `step` is called with (vectors done, vectors in all) before each chunk; it may raise to stop.
    """
    parts: list[LensColumns] = []
    for chunk in _chunks(resid, d_vocab, step):
        parts += _columns(unembed(chunk), k)
    return LensColumns(
        top_ids=torch.cat([part.top_ids for part in parts]),
        top_probs=torch.cat([part.top_probs for part in parts]),
        entropy=torch.cat([part.entropy for part in parts]),
    )


def rank_of(logits: Float[Tensor, "n d_vocab"], token: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
    """Return how many tokens score above each row's token (0 = the top prediction)."""
    return (logits > logits.gather(1, token[:, None])).sum(-1)


def _chunks(
    resid: Float[Tensor, "n d_model"], d_vocab: int, step: Callable[[int, int], None]
) -> Iterator[Float[Tensor, "m d_model"]]:
    size = max(1, CHUNK_BYTES // (4 * d_vocab))
    for start in range(0, len(resid), size):
        step(start, len(resid))
        yield resid[start : start + size]


def _columns(logits: Float[Tensor, "n d_vocab"], k: int) -> list[LensColumns]:
    return [_column(some.float(), k) for some in torch.split(logits, _AT_ONCE)]


def _column(logits: Float[Tensor, "n d_vocab"], k: int) -> LensColumns:
    top = logits.topk(k, dim=-1)
    first = top.values[:, :1]
    # A probability of zero adds nothing to the entropy, where 0 * -inf would be NaN; exp(-200) is zero.
    below = (logits - first).clamp_min_(-200)
    weights = below.exp()
    total = weights.sum(-1, keepdim=True)
    entropy = (total.log() - torch.linalg.vecdot(weights, below)[:, None] / total)[:, 0]
    return LensColumns(top.indices, (top.values - first).exp() / total, entropy)
