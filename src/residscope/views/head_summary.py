"""The facts about one head at one position, from a run or from arrays."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from residscope.analysis.scores import KINDS
from residscope.arrays import ArrayRun, Run, shaped
from residscope.runs.head_tokens import HeadTokens
from residscope.views.patterns import pattern_run

LISTED = 5


@dataclass(frozen=True)
class HeadSummary:
    """The facts about one head at one position.

    Attributes:
        looks: the keys it attends to most, with their weights.
        writes: the tokens that it promotes and suppresses most, or None if unknown.
        effect: its direct effect on the target, where the target is read, or None.
        rank: its rank among all heads by the size of that effect, from 1.
        shares: the other heads that read the same keys and values.
        scores: how much it behaves like each kind of head, NaN where no token repeats.
    """

    row: int
    layer: int
    head: int
    position: int
    looks: list[tuple[int, float]]
    writes: HeadTokens | None
    effect: float | None
    rank: int
    shares: list[int]
    scores: dict[str, float]


def head_summary(trace: Run, layer: int, head: int, row: int, position: int) -> HeadSummary | None:
    """Gather the numbers of one head at one position; None where the layer has no heads."""
    weights = trace.attention(layer, head)[row, position, : trace.lengths[row]].float()
    known = int((~weights.isnan()).sum())
    if known == 0:
        return None
    top = weights.nan_to_num(-torch.inf).topk(min(LISTED, known))
    given = trace.numbers if isinstance(trace, ArrayRun) else None
    has_effect, has_writes = (given is None or name in given for name in ("head_attribution", "head_tokens"))
    effect, rank = _effect(trace.head_attribution(), layer, head, row) if has_effect else (None, 0)
    k = min(LISTED, trace.vocabulary_size)
    group = trace.n_heads // trace.n_kv_heads
    first = head - head % group
    return HeadSummary(
        row=row,
        layer=layer,
        head=head,
        position=position,
        looks=list(zip(top.indices.tolist(), top.values.tolist(), strict=True)),
        writes=trace.head_tokens(layer, head, row, position, k) if has_writes else None,
        effect=effect,
        rank=rank,
        shares=[other for other in range(first, first + group) if other != head],
        scores={kind: float(trace.head_scores(kind)[row, layer, head]) for kind in KINDS} if given is None else {},
    )


def _effect(effects: Tensor, layer: int, head: int, row: int) -> tuple[float | None, int]:
    own = effects[min(row, len(effects) - 1)].float()
    if own[layer, head].isnan():
        return None, 0
    return float(own[layer, head]), 1 + int((own.abs() > own[layer, head].abs()).sum())


def head_summary_run(
    weights: Any, tokens: Any, *, effects: Any, writes: Any, vocabulary: Any, name: str, unit: str
) -> ArrayRun:
    """Return a run made of numbers per head, with the arguments of `HeadReadout.from_arrays`.

    Raises:
        ValueError: for shapes that do not fit together.
    """
    run = pattern_run(weights, tokens)
    run.call(name, unit)
    if effects is not None:
        heads = torch.from_numpy(shaped(effects, "effects", "layer head"))[None]
        _fit(heads[0], run, "effects")
        run.numbers["head_attribution"] = lambda: heads
    if writes is not None:
        added = torch.from_numpy(shaped(writes, "writes", "layer head vocab"))
        _fit(added, run, "writes")
        words = [str(word) for word in vocabulary or ()]
        if len(words) != added.shape[2]:
            raise ValueError(
                f"writes has {added.shape[2]} words, and vocabulary has {len(words)}: give one name per word"
            )
        ids = torch.tensor([run.token_id(word) for word in words])

        def head_tokens(layer: int, head: int, _row: int, _position: int, k: int) -> HeadTokens:
            own = added[layer, head]
            most = min(k, int((~own.isnan()).sum()))
            high, low = (side.nan_to_num(-torch.inf).topk(most) for side in (own, -own))
            return HeadTokens(ids[high.indices], high.values, ids[low.indices], -low.values)

        run.numbers["head_tokens"] = head_tokens
    return run


def _fit(values: Tensor, run: ArrayRun, what: str) -> None:
    if tuple(values.shape[:2]) != (run.n_layers, run.n_heads):
        raise ValueError(
            f"{what} has {[*values.shape[:2]]} layers and heads, and weights has {[run.n_layers, run.n_heads]}"
        )
