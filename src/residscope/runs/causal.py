"""Every head's causal effect: what ablating it costs the target, several heads in one forward."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.inputs.interventions import Ablation, AblationKind, checked
from residscope.models import Edit, TransformerBridge
from residscope.models.edits import checked_positions, place
from residscope.models.recording import read_logits
from residscope.models.terms import Terms
from residscope.models.weights import has_heads
from residscope.runs.interventions import edits_of
from residscope.runs.memory import Memory
from residscope.runs.trace import Trace
from residscope.runs.trace_base import memory_of

TOKENS_AT_ONCE = 1024
"""How many tokens, padding included, run together, unless the prompts alone have more."""


def causal_effects(trace: Trace, kind: AblationKind) -> Iterator[Float[Tensor, "group layer head"]]:
    """Yield every head's causal effect, ever more of them; NaN for those to come, and for layers without heads.

    The effect is the target minus its value with the head ablated as well, on top of the current interventions:
    positive if the head helped. The complete result is remembered.

    Args:
        trace: the run.
        kind: the kind of ablation.

    Raises:
        InputError: for an unknown kind, or one without the prompts it needs.
        StaleWeightsError: when the weights have changed since the run.
    """
    found = known_causal_effects(trace, kind)
    if found is None:
        for found in _filled(trace, kind, memory_of(trace)):
            yield found
        complete = found
        memory_of(trace).of(("causal", kind), lambda _twin: complete)
    assert found is not None
    yield found


def causal_effect(trace: Trace, layer: int, head: int, kind: AblationKind) -> Float[Tensor, "group"]:
    """Return one head's causal effect, of those already measured or by a run of its own, and remember it.

    Args:
        trace: the run.
        layer: the head's.
        head: its number.
        kind: what it becomes.

    Raises:
        InputError: for an unknown kind, or one that lacks the prompts it needs.
        StaleWeightsError: when the weights have changed since the run.
    """
    known = known_causal_effects(trace, kind)
    if known is not None:
        return known[:, layer, head]
    # Before the memory's own lock is taken: the edits read the untouched run's.
    edits = _edits(trace, [(layer, head)], kind)
    return memory_of(trace).of(
        ("causal", kind, layer, head), lambda twin: trace.target_value - _targets(twin, trace, edits)[0]
    )


def known_causal_effects(trace: Trace, kind: AblationKind) -> Tensor | None:
    """Return every head's causal effect if all have been measured, or None."""
    found: Tensor | None = memory_of(trace).find(("causal", kind))
    return found


def _filled(trace: Trace, kind: AblationKind, memory: Memory) -> Iterator[Tensor]:
    effects = trace.target_value.new_full((len(trace.target_value), trace.n_layers, trace.n_heads), torch.nan)
    heads = memory.of(("heads",), lambda twin: _heads(twin, trace.n_layers, trace.n_heads))
    most = max(1, TOKENS_AT_ONCE // trace.tokens.numel())
    for start in range(0, len(heads), most):
        some = heads[start : start + most]
        values = memory.use(partial(_targets, trace=trace, edits=_edits(trace, some, kind)))
        for (layer, head), value in zip(some, values, strict=True):
            effects[:, layer, head] = trace.target_value - value
        yield effects.clone()


def _heads(model: TransformerBridge, n_layers: int, n_heads: int) -> list[tuple[int, int]]:
    # The last layers come first, because readers look there first.
    layers = [layer for layer in reversed(range(n_layers)) if has_heads(model, layer)]
    return [(layer, head) for layer in layers for head in range(n_heads)]


def _edits(trace: Trace, heads: Sequence[tuple[int, int]], kind: AblationKind) -> tuple[Edit, ...]:
    """Return the edits that ablate these heads, one each."""
    inputs, memory = trace.inputs, memory_of(trace.baseline)
    ablation = Ablation(heads, kind)
    asked = memory.use(
        lambda twin: checked(
            [ablation], twin, trace.lengths, _no_prompts, has_corrupted=inputs.corrupted_tokens is not None
        )
    )
    return edits_of(replace(inputs, interventions=asked), memory)


def _no_prompts(_prompts: object) -> tuple[tuple[int, ...], ...]:
    raise AssertionError("an ablation without reference prompts has none to read")


def _targets(model: TransformerBridge, trace: Trace, edits: Sequence[Edit]) -> list[Float[Tensor, "group"]]:
    """Return the target under each of some edits, each on its own copy of the rows."""
    lengths, copies, rows = trace.lengths, len(edits), len(trace.lengths)
    in_force = [_repeated(edit, lengths, copies) for edit in trace.edits]
    own = [_alone(edit, lengths, copies, at) for at, edit in enumerate(edits)]
    placed = place([*in_force, *own], model, lengths * copies)
    positions = trace.target.positions * copies
    term_rows = [row + copy * rows for copy in range(copies) for row in trace.target.term_rows]
    terms = Terms.of(term_rows, positions, trace.tokens.device)
    logits = read_logits(model, trace.tokens.repeat(copies, 1), terms, placed)
    # Only rounding differs: a batch sums in another order than the run alone.
    return [trace.target.value(of_copy.float()) for of_copy in logits.chunk(copies)]


def _repeated(edit: Edit, lengths: Sequence[int], copies: int) -> Edit:
    """Return an edit on all copies of its rows."""
    positions = checked_positions(edit.site, lengths) * copies
    return _on(edit, positions, 0, copies - 1)


def _alone(edit: Edit, lengths: Sequence[int], copies: int, at: int) -> Edit:
    """Return an edit on one of the copies."""
    none: list[list[int]] = [[] for _ in lengths]
    positions = [*none * at, *checked_positions(edit.site, lengths), *none * (copies - 1 - at)]
    return _on(edit, positions, at, copies - 1 - at)


def _on(edit: Edit, positions: list[list[int]], before: int, after: int) -> Edit:
    plus = edit.plus
    if plus is not None and plus.ndim > 1:
        plus = plus.repeat(before + 1 + after, 1, 1)
    return replace(edit, site=replace(edit.site, positions=positions), plus=plus)
