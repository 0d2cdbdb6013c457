"""How much a head behaves like one of the known kinds, from 0 to 1."""

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Kind = Literal["induction", "previous token", "duplicate token"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def keys_of(
    kind: Kind, tokens: Int[Tensor, "row pos"], mask: Bool[Tensor, "row pos"], first: int
) -> Bool[Tensor, "row query key"]:
    """Tell which keys a head of this kind looks at from each query.

    A previous-token head looks one token back, a duplicate-token head at earlier occurrences of the query's token, an
    induction head at what followed them (Olsson et al. 2022, Wang et al. 2023). Keys before `first`, the prepended
    BOS, never count: heads at rest look there.
    """
    position = torch.arange(tokens.shape[1], device=tokens.device)
    earlier = position[None, :] < position[:, None]
    same = (tokens[:, :, None] == tokens[:, None, :]) & earlier
    if kind == "previous token":
        looked_at = (position[None, :] == position[:, None] - 1).expand_as(same)
    elif kind == "duplicate token":
        looked_at = same
    else:
        looked_at = torch.zeros_like(same)
        looked_at[:, :, 1 + first :] = same[:, :, first:-1]
        looked_at &= earlier
    real = mask[:, :, None] & mask[:, None, :]
    return looked_at & real & (position >= first)


def score(
    pattern: Float[Tensor, "row head query key"], keys: Bool[Tensor, "row query key"]
) -> Float[Tensor, "row head"]:
    """Return the attention paid to these keys, averaged over the queries that have any; NaN where none has."""
    queries = keys.any(-1)
    paid = (pattern.nan_to_num() * keys[:, None]).sum(-1)
    # 0 / 0 is the NaN that says so.
    return paid.sum(-1) / queries.sum(-1)[:, None]
