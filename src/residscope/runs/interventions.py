"""Turns interventions into edits: the values that replace parts are read off untouched runs, once."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from residscope.inputs.interventions import Ablation, Asked, Rows, Scaling, Steering, donors, sites_of
from residscope.inputs.reader import Inputs
from residscope.models import Edit, Site, TransformerBridge
from residscope.models.activations import LiveRun, pad_right, whole
from residscope.models.parts import after_first, mean_of, of_rows, read_parts
from residscope.models.placement import home_of
from residscope.models.weights import has_heads
from residscope.runs.memory import Memory

_Key = tuple[str, int, int | None]
"""A part: its kind, layer and head."""


def edits_of(inputs: Inputs, memory: Memory) -> tuple[Edit, ...]:
    """Return the edits that make the interventions of some inputs, the oldest first.

    Args:
        inputs: with the interventions.
        memory: of the untouched run of the same inputs; what is read is remembered there.

    Raises:
        StaleWeightsError: when the weights have changed since the untouched run.
    """
    return tuple(edit for asked in inputs.interventions for edit in _edits(asked, inputs, memory))


def _edits(asked: Asked, inputs: Inputs, memory: Memory) -> list[Edit]:
    one = asked.intervention
    if isinstance(one, Scaling):
        return [Edit(site, one.factor) for site in sites_of(one, one.positions)]
    if isinstance(one, Steering):
        (site,) = sites_of(one, one.positions)
        vector = one.vector if isinstance(one.vector, Tensor) else _difference(site, asked.references, memory)
        return [Edit(site, 1, one.factor * vector)]
    if one.kind == "mean":
        edits = _at_means(one, asked.references[0] if asked.references else inputs.tokens, inputs.tokens, memory)
    elif one.kind == "resample":
        edits = _resampled(one, inputs, memory)
    else:
        edits = [Edit(site, 0) for site in sites_of(one, one.positions)]
    return [edit.dosed(one.dose) for edit in edits]


def _at_means(one: Ablation, references: Rows, tokens: Rows, memory: Memory) -> list[Edit]:
    positions = one.positions
    if positions is None and not one.first:
        positions = after_first(list(map(len, tokens)))
    sites = sites_of(one, positions)
    means = _means(sites, references, memory, first=one.first)
    return [Edit(site, 0, means[_key(site)]) for site in sites]


def _resampled(one: Ablation, inputs: Inputs, memory: Memory) -> list[Edit]:
    lengths = list(map(len, inputs.tokens))
    # For a head, all of z, including what it holds whatever it attends to: the other prompt's head wrote that too.
    sites = [replace(site, kind="z") if site.kind == "head" else site for site in sites_of(one, one.positions)]
    if inputs.corrupted_tokens is not None:
        sources, rows = inputs.corrupted_tokens, list(range(len(lengths)))
    else:
        drawn = random.Random(one.seed)
        sources, rows = inputs.tokens, [drawn.choice(donors(row, lengths)) for row in range(len(lengths))]
    parts = memory.of(("parts", sources, tuple(map(_key, sites))), lambda twin: _read(twin, sites, sources, whole))
    return [Edit(site, 0, of_rows(parts[_key(site)], rows, lengths, list(map(len, sources)))) for site in sites]


def _difference(site: Site, references: Sequence[Rows], memory: Memory) -> Float[Tensor, "d_model"]:
    """Return the mean of the stream over the first prompts minus that over the second."""
    one, other = (_means([site], rows, memory, first=False)[_key(site)] for rows in references)
    return one - other


def _means(sites: Sequence[Site], rows: Rows, memory: Memory, *, first: bool) -> dict[_Key, Float[Tensor, "d"]]:
    # All branches together cost one run, the same as one branch, and the next ablation finds its mean.
    of_branches = all(site.kind in _BRANCHES for site in sites)
    key = ("means", rows, first, None if of_branches else tuple(map(_key, sites)))

    def take(part: Tensor) -> Tensor:
        return mean_of(part, list(map(len, rows)), first=first)

    return memory.of(key, lambda twin: _read(twin, _branches(twin) if of_branches else sites, rows, take))


def _read(
    model: TransformerBridge, sites: Sequence[Site], rows: Rows, take: Callable[[Tensor], Tensor]
) -> dict[_Key, Tensor]:
    tokens, _ = pad_right(rows, home_of(model))
    parts = read_parts(model, LiveRun(tokens), sites, take)
    return {_key(site): part for site, part in zip(sites, parts, strict=True)}


_BRANCHES = ("head", "attn", "mlp")


def _branches(model: TransformerBridge) -> list[Site]:
    """Return every head, and what every layer's attention and MLP add."""
    layers = range(int(model.cfg.n_layers))
    with_heads = [layer for layer in layers if has_heads(model, layer)]
    heads = [Site("head", layer, head) for layer in with_heads for head in range(int(model.cfg.n_heads))]
    return [*heads, *(Site("attn", layer) for layer in with_heads), *(Site("mlp", layer) for layer in layers)]


def _key(site: Site) -> _Key:
    return site.kind, site.layer, site.head
