"""Attention maps as views send them, and runs that consist of them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from residscope import wire
from residscope.arrays import ArrayRun, Run, shaped, token_rows
from residscope.trace import checked_head


def cells_of(trace: Run, length: int) -> tuple[wire.Array, wire.Array]:
    """Return the queries and keys of all cells that a map has."""
    if trace.is_causal:
        return np.tril_indices(length)
    query, key = np.indices((length, length)).reshape(2, -1)
    return query, key


def flat(trace: Run, patterns: wire.Array) -> wire.Array:
    """Pack [... query key] into [... cell]: triangles, or whole squares where later tokens are looked at."""
    return wire.lower_triangles(patterns) if trace.is_causal else patterns.reshape(*patterns.shape[:-2], -1)


def shrunk(trace: Run, patterns: Tensor, most: int) -> Tensor:
    """Return maps [... query key] of at most so many cells a side: each is the largest of those under it."""
    length = patterns.shape[-1]
    if length <= most:
        return patterns
    at = torch.arange(length, device=patterns.device) * most // length
    cells = (at[:, None] * most + at).flatten()
    kept = patterns if not trace.is_causal else patterns.tril()
    small = patterns.new_zeros(*patterns.shape[:-2], most * most)
    small.scatter_reduce_(-1, cells.expand(*patterns.shape[:-2], -1), kept.flatten(-2), "amax")
    return small.reshape(*patterns.shape[:-2], most, most)


def pattern_run(weights: Any, tokens: Any) -> ArrayRun:
    """Return a run of attention weights alone.

    Raises:
        ValueError: for what are no square maps, or another number of tokens.
    """
    shapes = ("query key", "head query key", "layer head query key", "row layer head query key")
    patterns = shaped(weights, "weights", *shapes)
    rows, n_layers, n_heads, queries, keys = patterns.shape
    if queries != keys:
        raise ValueError(f"weights of {queries} queries by {keys} keys: give square maps, of one list of tokens")
    given = torch.from_numpy(patterns)

    def attention(layer: int, head: int | None = None) -> Tensor:
        layer, head = checked_head(n_layers, n_heads, layer, head)
        return given[:, layer] if head is None else given[:, layer, head]

    return ArrayRun(
        token_rows(tokens, rows, queries),
        n_layers=n_layers,
        n_heads=n_heads,
        name="attention",
        is_causal=not np.nan_to_num(np.triu(patterns, 1)).any(),
        numbers={"attention": attention},
    )
