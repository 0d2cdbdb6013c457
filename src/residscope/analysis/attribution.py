"""Direct effects: how much each part of the residual stream pushes a target up or down."""

from collections.abc import Sequence

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor

VOCAB_PART = 256  # tokens; parts of 4,096 kept SmolLM2's log-probabilities to 3e-4 only, these to 2e-5


def through_norm(
    direction: Float[Tensor, "term d_model"],
    weight: Float[Tensor, "d_model"] | None,
    scale: Float[Tensor, "term 1"],
    *,
    centred: bool,
) -> Float[Tensor, "term d_model"]:
    """Return u, with which a part x of a norm's input adds x.u along `direction` of its output, scale frozen.

    The norm's weight is folded in, and its centring: (x - mean(x)).v equals x.(v - mean(v)).
    """
    u = direction if weight is None else direction * weight.to(direction.dtype)
    return (u - u.mean(-1, keepdim=True) if centred else u) / scale.to(direction.dtype)


def normed(
    vector: Float[Tensor, "term d_model"],
    weight: Float[Tensor, "d_model"] | None,
    scale: Float[Tensor, "term 1"],
    *,
    centred: bool,
) -> Float[Tensor, "term d_model"]:
    """Return what a part of a norm's input becomes, the scale frozen and the bias left out."""
    part = (vector - vector.mean(-1, keepdim=True) if centred else vector) / scale.to(vector.dtype)
    return part if weight is None else part * weight.to(vector.dtype)


def unembedded(
    token_weights: Float[Tensor, "term d_vocab"],
    W_U: Float[Tensor, "d_model d_vocab"],
    tokens: Sequence[int] | None = None,
) -> Float[Tensor, "term d_model"]:
    """Return W_U w; where only some tokens carry weight, and they are given, from their columns alone.

    A whole vocabulary is summed in parts, and their totals pairwise: added up one after the other in float32,
    fifty thousand columns that nearly cancel, as a log-probability's do, lose more than the checks allow.
    """
    if tokens is None:
        parts = zip(torch.split(token_weights, VOCAB_PART, 1), torch.split(W_U, VOCAB_PART, 1), strict=True)
        return torch.stack([weights @ columns.to(weights.dtype).T for weights, columns in parts]).sum(0)
    columns = torch.tensor(tokens, device=W_U.device)
    return token_weights[:, columns] @ W_U[:, columns].to(token_weights.dtype).T


def fold_heads(
    W_O: Float[Tensor, "head d_head d_model"], direction: Float[Tensor, "term d_model"]
) -> Float[Tensor, "term head d_head"]:
    """Fold the direction into W_O, so that no per-head residual is ever built."""
    return rearrange(W_O @ direction.T, "head d_head term -> term head d_head")


def head_effects(
    z: Float[Tensor, "layer term head d_head"],
    constants: Float[Tensor, "layer term head"],
    folded: Float[Tensor, "layer term head d_head"],
) -> Float[Tensor, "layer term head"]:
    """Return z along the folded direction, minus what each head holds along it whatever it attends to."""
    return einsum(z, folded, "layer term head d_head, layer term head d_head -> layer term head") - constants


def along(part: Float[Tensor, "term d_model"], direction: Float[Tensor, "term d_model"]) -> Float[Tensor, "term"]:
    """Return part . direction for each term, summed in float32 or better."""
    wide = torch.promote_types(part.dtype, torch.float32)
    return (part.to(wide) * direction.to(wide)).sum(-1)
