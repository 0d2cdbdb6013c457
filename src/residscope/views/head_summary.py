"""The facts about one head at one position, from a run or from given numbers."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from residscope.analysis.scores import KINDS
from residscope.given import Given, Run
from residscope.quantity import Numbers, Quantity
from residscope.runs.head_tokens import HeadTokens
from residscope.runs.trace import Trace
from residscope.views.from_arrays import shaped
from residscope.views.patterns import maps

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
    shares: list[int] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)


def head_summary(run: Run, layer: int, head: int, row: int, position: int) -> HeadSummary | None:
    """Gather the numbers of one head at one position; None where the layer has no heads."""
    weights = maps(run, layer, head)[row, position, : run.lengths[row]].float()
    known = int((~weights.isnan()).sum())
    if known == 0:
        return None
    top = weights.nan_to_num(-torch.inf).topk(min(LISTED, known))
    effects = head_effects(run)
    effect, rank = (None, 0) if effects is None else _effect(effects, layer, head, row)
    of_run = {} if isinstance(run, Given) else _of_run(run, layer, head, row)
    return HeadSummary(
        row=row,
        layer=layer,
        head=head,
        position=position,
        looks=list(zip(top.indices.tolist(), top.values.tolist(), strict=True)),
        writes=_writes(run, layer, head, row, position),
        effect=effect,
        rank=rank,
        **of_run,
    )


def head_effects(run: Run) -> Tensor | None:
    """Return each head's direct effect [group layer head], or the number given for it; None if there is none."""
    if isinstance(run, Given):
        return None if run.find("layer", "head") is None else torch.tensor(run.numbers("effects", "layer", "head"))
    return run.head_attribution()


def _effect(effects: Tensor, layer: int, head: int, row: int) -> tuple[float | None, int]:
    own = effects[min(row, len(effects) - 1)].float()
    if own[layer, head].isnan():
        return None, 0
    return float(own[layer, head]), 1 + int((own.abs() > own[layer, head].abs()).sum())


def _writes(run: Run, layer: int, head: int, row: int, position: int) -> HeadTokens | None:
    """Return the tokens that a head promotes and suppresses most, or None if unknown."""
    if not isinstance(run, Given):
        return run.head_tokens(layer, head, row, position, min(LISTED, run.vocabulary_size))
    written = run.find("layer", "head", "vocab")
    if written is None:
        return None
    own = torch.tensor(run.numbers(written.name, *written.cell_dims)[row, layer, head])
    ids = torch.tensor(list(map(run.id_of, written.names("vocab"))))
    most = min(LISTED, int((~own.isnan()).sum()))
    high, low = (side.nan_to_num(-torch.inf).topk(most) for side in (own, -own))
    return HeadTokens(ids[high.indices], high.values, ids[low.indices], -low.values)


def _of_run(trace: Trace, layer: int, head: int, row: int) -> dict[str, Any]:
    """Return what only a model tells: the heads that share keys and values, and the scores."""
    group = trace.n_heads // trace.n_kv_heads
    first = head - head % group
    return {
        "shares": [other for other in range(first, first + group) if other != head],
        "scores": {kind: float(trace.head_scores(kind)[row, layer, head]) for kind in KINDS},
    }


def given_heads(
    patterns: Quantity, *, effects: Any, writes: Any, vocabulary: Any, name: str, unit: str
) -> list[Quantity]:
    """Return the numbers given per head, the effects first, with the arguments of `HeadReadout.from_arrays`.

    Raises:
        ValueError: for shapes that do not fit together.
    """
    quantities = [patterns]
    if effects is not None:
        heads = shaped(effects, "effects", "layer head")
        check_fit(heads, patterns, "effects")
        quantities.insert(0, Quantity(name, heads, "layer head", unit))
    if writes is not None:
        added = shaped(writes, "writes", "layer head vocab")
        check_fit(added, patterns, "writes")
        words = [str(word) for word in vocabulary or ()]
        if len(words) != added.shape[2]:
            raise ValueError(
                f"writes has {added.shape[2]} words, and vocabulary has {len(words)}: give one name per word"
            )
        quantities.append(Quantity("writes", added, "layer head vocab", "logits", {"vocab": words}))
    return quantities


def check_fit(values: Numbers, patterns: Quantity, what: str) -> None:
    """Refuse numbers [layer head ...] whose layers and heads are not those of the patterns.

    Raises:
        ValueError: naming both.
    """
    sizes = [patterns.size("layer"), patterns.size("head")]
    if [*values.shape[:2]] != sizes:
        raise ValueError(f"{what} has {[*values.shape[:2]]} layers and heads, and weights has {sizes}")
