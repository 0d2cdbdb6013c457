"""What a head moves from each source token, and how large the values behind its weights are."""

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor


def split_by_source(
    pattern: Float[Tensor, "row head query key"],
    value: Float[Tensor, "row head key d_head"],
    folded: Float[Tensor, "row head d_head"],
) -> Float[Tensor, "row head query key"]:
    """Return what each key's value adds at each query along the folded direction.

    With values minus their constant part, it sums over keys to `attribution.head_effects`.
    """
    worth = einsum(value, folded, "row head key d_head, row head d_head -> row head key")
    return pattern * worth[:, :, None, :]


def value_weighted(
    pattern: Float[Tensor, "row head query key"],
    value: Float[Tensor, "row head key d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
) -> Float[Tensor, "row head query key"]:
    """Return each weight times the length of the value it moves, as W_O writes it (Kobayashi et al. 2020)."""
    # With W_O^T = Q R the length of v W_O is that of v R^T: no vector of d_model is ever built.
    R: Tensor = torch.linalg.qr(W_O.mT).R
    length: Tensor = einsum(value, R, "row head key d_head, head other d_head -> row head key other").norm(dim=-1)
    return pattern * length[:, :, None, :]


def mixing_error(
    pattern: Float[Tensor, "row head query key"],
    value: Float[Tensor, "row head key d_head"],
    z: Float[Tensor, "row query head d_head"],
) -> float:
    """Return how far z is from the weighted values, relative to z's largest entry; 0 where nothing comes between."""
    mixed = einsum(pattern, value, "row head query key, row head key d_head -> row query head d_head")
    return float((mixed - z).abs().amax() / z.abs().amax().clamp_min(torch.finfo(z.dtype).tiny))
