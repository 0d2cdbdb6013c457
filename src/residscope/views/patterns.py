"""Attention maps as views send them, and runs made of them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from residscope.arrays import ArrayRun, Run, shaped, small, token_rows
from residscope.live import wire
from residscope.quantity import numbers_of
from residscope.runs.trace_base import checked_head


def cells_of(trace: Run, length: int) -> tuple[wire.Array, wire.Array]:
    """Return the queries and keys of all cells of a map."""
    if trace.is_causal:
        return np.tril_indices(length)
    query, key = np.indices((length, length)).reshape(2, -1)
    return query, key


def flat(trace: Run, patterns: wire.Array) -> wire.Array:
    """Pack [... query key] into [... cell]: triangles, or whole squares where attention reaches later tokens."""
    return wire.lower_triangles(patterns) if trace.is_causal else patterns.reshape(*patterns.shape[:-2], -1)


def shrunk(trace: Run, patterns: Tensor, most: int) -> Tensor:
    """Return maps [... query key] of at most this many cells per side; each cell is the largest number under it."""
    length = patterns.shape[-1]
    if length <= most:
        return patterns
    at = torch.arange(length, device=patterns.device) * most // length
    cells = (at[:, None] * most + at).flatten()
    kept = patterns if not trace.is_causal else patterns.tril()
    small = patterns.new_zeros(*patterns.shape[:-2], most * most)
    small.scatter_reduce_(-1, cells.expand(*patterns.shape[:-2], -1), kept.flatten(-2), "amax")
    return small.reshape(*patterns.shape[:-2], most, most)


def _stacked(weights: Any) -> Any:
    """Stack the layers that transformers returns, one `[row head query key]` each, into `[row layer head query key]`.

    Raises:
        TypeError: where it returned none.
        ValueError: when their shapes differ.
    """
    if not isinstance(weights, list | tuple) or not weights:
        return weights
    if any(layer is None for layer in weights):
        raise TypeError('weights has None, which transformers returns without attn_implementation="eager"')
    if not all(isinstance(layer, Tensor | np.ndarray) for layer in weights):
        return weights
    layers = [numbers_of(layer, "weights") for layer in weights]
    shapes = {layer.shape for layer in layers}
    if len(shapes) > 1:
        raise ValueError(f"the layers' weights have different shapes: {', '.join(str([*shape]) for shape in shapes)}")
    return np.stack(layers, 1 if layers[0].ndim == 4 else 0)


def pattern_run(weights: Any, tokens: Any) -> ArrayRun:
    """Return a run of attention weights alone.

    Raises:
        ValueError: for maps that are not square, or the wrong number of tokens.
    """
    shapes = ("query key", "head query key", "layer head query key", "row layer head query key")
    patterns = small(shaped(_stacked(weights), "weights", *shapes), "weights")
    rows, n_layers, n_heads, queries, keys = patterns.shape
    if queries != keys:
        raise ValueError(f"weights has {queries} queries by {keys} keys: give square maps, over one list of tokens")
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
