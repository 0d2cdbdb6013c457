"""The residual stream read through the lens: the most likely tokens, and the target at each depth and position."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from residscope.analysis import lens
from residscope.analysis.check import Check, lens_check
from residscope.inputs.target import Target
from residscope.models import TransformerBridge
from residscope.models.activations import Step
from residscope.models.weights import final_norm_of, logit_tail, logits_of, unembedding


@dataclass(frozen=True)
class LensReadout:
    """What the model would say if it stopped at each depth; padding is -1 and NaN.

    Attributes:
        top_ids: the k most likely next tokens.
        top_probs: their probabilities.
        entropy: of the next-token distribution, in nats.
        target_value: the target where it is read, in its unit.
        target_rank: how many tokens score above each term's right answer there, or the first of several.
        checks: of the last depth, one per term.
    """

    top_ids: Int[Tensor, "row depth pos k"]
    top_probs: Float[Tensor, "row depth pos k"]
    entropy: Float[Tensor, "row depth pos"]
    target_value: Float[Tensor, "group depth"]
    target_rank: Int[Tensor, "term depth"]
    checks: list[Check]


@dataclass(frozen=True)
class LensCells:
    """The lens in one part of one row: the k most likely next tokens, their probabilities, the entropy in nats."""

    top_ids: Int[Tensor, "depth pos k"]
    top_probs: Float[Tensor, "depth pos k"]
    entropy: Float[Tensor, "depth pos"]


@dataclass(frozen=True)
class LensTarget:
    """The target at each depth, where it is read, and how many tokens score above each (first) right answer."""

    value: Float[Tensor, "group depth"]
    rank: Int[Tensor, "term depth"]
    checks: list[Check]


def read_cells(
    model: TransformerBridge, resid: Float[Tensor, "depth pos d_model"], d_vocab: int, k: int, step: Step
) -> LensCells:
    """Read residual vectors through the model's own final norm and unembedding."""
    columns = lens.read_out(resid.flatten(0, 1), lambda x: logits_of(model, x), d_vocab, k, step)
    shape = resid.shape[:2]
    return LensCells(
        columns.top_ids.reshape(*shape, k), columns.top_probs.reshape(*shape, k), columns.entropy.reshape(shape)
    )


def read_target(
    model: TransformerBridge,
    resid: Float[Tensor, "depth row pos d_model"],
    target: Target,
    output: Float[Tensor, "term d_vocab"],
) -> LensTarget:
    """Read the target at each depth where it is read, and compare the last depth with the model's output."""
    values, ranks, last = [], [], []
    for term, (row, position) in enumerate(zip(target.term_rows, target.positions, strict=True)):
        logits = logits_of(model, resid[:, row, position]).float()
        values.append(target.of_term(term, len(logits)).value(logits))
        right = torch.full((len(logits),), target.right[term].ids[0], device=logits.device)
        ranks.append(lens.rank_of(logits, right))
        last.append(logits[-1])
    checks = lens_check(torch.stack(last), output.float(), output.dtype)
    return LensTarget(target.summed(torch.stack(values)), torch.stack(ranks), checks)


def read_curve(
    model: TransformerBridge,
    resid: Float[Tensor, "depth row pos d_model"],
    target: Target,
    mask: Bool[Tensor, "row pos"],
    d_vocab: int,
    step: Step,
) -> Float[Tensor, "row depth pos"]:
    """Read a target of one term per row at each depth and position, NaN at padding.

    Logits of answers need no others; a log-probability needs those of the whole vocabulary.
    """
    depths, rows, width, _ = resid.shape
    curve = torch.full((rows, depths, width), torch.nan, device=resid.device)
    for row in range(rows):
        length = int(mask[row].sum())
        read = _log_probability(model, target, row, d_vocab) if target.unit == "nats" else _answers(model, target, row)
        for depth in range(depths):
            step(row * depths + depth, rows * depths)
            curve[row, depth, :length] = read(resid[depth, row, :length])
    return curve


Read = Callable[[Float[Tensor, "pos d_model"]], Float[Tensor, "pos"]]
"""Reads the target at each of some residual vectors."""


def _log_probability(model: TransformerBridge, target: Target, row: int, d_vocab: int) -> Read:
    def read(vectors: Float[Tensor, "pos d_model"]) -> Float[Tensor, "pos"]:
        chunks = torch.split(vectors, max(1, lens.CHUNK_BYTES // (4 * d_vocab)))
        return torch.cat([target.of_term(row, len(one)).value(logits_of(model, one).float()) for one in chunks])

    return read


def _answers(model: TransformerBridge, target: Target, row: int) -> Read:
    W_U, b_U = unembedding(model)
    tail, right, wrong = logit_tail(model), target.right[row].ids, target.wrong[row].ids if target.wrong else ()
    ids = torch.tensor([*right, *wrong], device=W_U.device)
    columns, biases = W_U[:, ids], b_U[ids]

    def read(vectors: Float[Tensor, "pos d_model"]) -> Float[Tensor, "pos"]:
        logits = tail(final_norm_of(model, vectors) @ columns + biases).float()
        value = logits[:, : len(right)].mean(-1)
        value = value - logits[:, len(right) :].mean(-1) if wrong else value
        return value if target.signs is None else value * target.signs[row]

    return read
