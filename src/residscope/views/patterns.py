"""Attention maps, from a run or from given numbers, and how views send them."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from residscope.errors import NoModelError
from residscope.given import Given, Run
from residscope.header import unit_of
from residscope.live import wire
from residscope.quantity import Quantity, numbers_of
from residscope.runs.trace_base import checked_head
from residscope.views.from_arrays import shaped, small, token_rows

ATTENTION, WEIGHTED, EFFECT = "attention", "value-weighted", "direct effect"

_SHAPES = ("query key", "head query key", "layer head query key", "row layer head query key")


def maps(run: Run, layer: int, head: int | None = None, colour: str = ATTENTION) -> Tensor:
    """Return a layer's maps, or one head's, of one colour: `[row (head) query key]`, NaN where there is no cell.

    Raises:
        IndexError: for a layer or head that the run does not have.
        NoModelError: for a colour that only a model could compute.
        NoSplitError: where the head's output cannot be split by source token.
    """
    if isinstance(run, Given):
        if colour != ATTENTION:
            raise NoModelError(colour)
        layer, head = checked_head(run.n_layers, run.n_heads, layer, head)
        of_layer = run.numbers(ATTENTION, "layer", "head", "query", "key")[:, layer]
        return torch.tensor(small(of_layer if head is None else of_layer[:, head], ATTENTION))
    read = {ATTENTION: run.attention, WEIGHTED: run.value_weighted, EFFECT: run.source_split}[colour]
    return read(layer, head)


def head_map(run: Run, layer: int, head: int, colour: str) -> Quantity:
    """Return one head's map of one colour [row query key].

    Raises:
        NoModelError: for a colour that only a model could compute.
        NoSplitError: where the head's output cannot be split by source token.
    """
    return Quantity(
        colour,
        maps(run, layer, head, colour),
        "row query key",
        {ATTENTION: "", WEIGHTED: "norm in the residual stream", EFFECT: unit_of(run)}[colour],
        scale="signed" if colour == EFFECT else "sequential",
    )


def windows(run: Run) -> list[dict[str, Any] | None]:
    """Return how far back each layer's attention may look, None where it has no limit."""
    known = [None] * run.n_layers if isinstance(run, Given) else run.windows
    return [None if window is None else asdict(window) for window in known]


def cells_of(run: Run, length: int) -> tuple[wire.Array, wire.Array]:
    """Return the queries and keys of all cells of a map."""
    if run.is_causal:
        return np.tril_indices(length)
    query, key = np.indices((length, length)).reshape(2, -1)
    return query, key


def flat(run: Run, patterns: wire.Array) -> wire.Array:
    """Pack [... query key] into [... cell]: triangles, or whole squares where attention reaches later tokens."""
    return wire.lower_triangles(patterns) if run.is_causal else patterns.reshape(*patterns.shape[:-2], -1)


def shrunk(run: Run, patterns: Tensor, most: int) -> Tensor:
    """Return maps [... query key] of at most this many cells per side; each cell is the largest number under it."""
    length = patterns.shape[-1]
    if length <= most:
        return patterns
    at = torch.arange(length, device=patterns.device) * most // length
    cells = (at[:, None] * most + at).flatten()
    kept = patterns if not run.is_causal else patterns.tril()
    pooled = patterns.new_zeros(*patterns.shape[:-2], most * most)
    pooled.scatter_reduce_(-1, cells.expand(*patterns.shape[:-2], -1), kept.flatten(-2), "amax")
    return pooled.reshape(*patterns.shape[:-2], most, most)


def given_maps(weights: Any, tokens: Any) -> tuple[Quantity, list[list[str]]]:
    """Return given attention weights [row layer head query key] and each row's tokens.

    Raises:
        TypeError: for weights that are not numbers, or tokens that are not texts.
        ValueError: for maps that are not square, or the wrong number of tokens.
    """
    patterns = small(shaped(_stacked(weights), "weights", *_SHAPES), "weights")
    rows, _, _, queries, keys = patterns.shape
    if queries != keys:
        raise ValueError(f"weights has {queries} queries by {keys} keys: give square maps, over one list of tokens")
    return Quantity(ATTENTION, patterns, _SHAPES[-1], scale="sequential"), token_rows(tokens, rows, queries)


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
