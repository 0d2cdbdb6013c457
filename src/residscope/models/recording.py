"""Run the twin once and keep what the views need, at the places they need it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.models.activations import Activations, Look, Step, Watch, in_order, whole
from residscope.models.edit_hooks import Hook
from residscope.models.edits import NO_EDITS, PlacedEdits
from residscope.models.placement import home_of
from residscope.models.points import added_by_mixer
from residscope.models.size import ran_out_of_memory, saying_what_to_turn_down
from residscope.models.terms import Terms
from residscope.models.weights import logit_tail


class EditRow(NamedTuple):
    """Where an edit itself adds to the residual stream: by a layer's `attn` or `mlp`, or at `resid_pre`, ..."""

    layer: int
    kind: str


@dataclass(frozen=True)
class Recording:
    """What one forward left behind, on the first block's device and in the model's dtype.

    Everything without a position axis is read at the run's terms. Values at padding are whatever the model computed
    there: `Trace` blanks them. Layers without attention heads have NaN in `z`, `row_sums` and `patterns`, and what
    their other mixer adds in `attn_out`.

    Attributes:
        resid: the stream, as what comes after reads it.
        ends: what each layer gets, before an edit of it, and, last, what the final norm gets.
        attn_out: what each layer's attention adds, before an edit of it.
        mlp_out: what the MLP adds, multiplied as edits say; what they add is an edit row.
        z: after edits.
        uncapped: the unembedding's output, before logit scale and soft cap.
        row_sums: what each head's weights sum to: 1 but for attention sinks.
        post_scales: the scale of the norm after each layer's attention, NaN where there is none.
        final_scales: the final norm's scale at every position; `scale` is that at the terms.
        attn_factors: what edits multiply the sum of each layer's heads by; None where there are no edits.
        edit_rows: what edits themselves add to the stream: of a branch what is added to it, of the stream what was
            there after minus what was before.
    """

    resid: Float[Tensor, "depth row pos d_model"]
    embed: Float[Tensor, "term d_model"]
    pos_embed: Float[Tensor, "term d_model"] | None
    ends: Float[Tensor, "layer_end term d_model"]
    attn_out: Float[Tensor, "layer term d_model"]
    mlp_out: Float[Tensor, "layer term d_model"]
    z: Float[Tensor, "layer term head d_head"]
    scale: Float[Tensor, "term 1"]
    logits: Float[Tensor, "term d_vocab"]
    uncapped: Float[Tensor, "term d_vocab"]
    row_sums: Float[Tensor, "layer term head"]
    post_scales: Float[Tensor, "layer term 1"]
    final_scales: Float[Tensor, "row pos 1"]
    patterns: Float[Tensor, "layer row head query key"] | None
    attn_factors: Float[Tensor, "layer term 1"] | None = None
    edit_rows: dict[EditRow, Float[Tensor, "term d_model"]] = field(default_factory=dict)


def record(
    model: TransformerBridge,
    tokens: Int[Tensor, "row pos"],
    terms: Terms,
    *,
    keep_patterns: bool,
    edits: PlacedEdits = NO_EDITS,
    step: Step = lambda _done, _of: None,
) -> Recording:
    """Run the model once on right-padded tokens; where memory is short, on half of the rows after the other.

    Attention is causal and padding stands on the right, so no real position sees padding and no mask is needed.
    Only the terms are unembedded.

    Args:
        model: which runs.
        tokens: padded on the right.
        terms: where the run is read.
        keep_patterns: whether the recording holds them.
        edits: made in the run.
        step: called before each layer.

    Raises:
        torch.OutOfMemoryError: when one row does not fit; it says what to turn down.
    """
    with saying_what_to_turn_down(tokens):
        try:
            return _record_together(model, tokens, terms, keep_patterns, edits, step)
        except (MemoryError, RuntimeError) as error:
            if len(tokens) == 1 or not ran_out_of_memory(error):
                raise
    # Not in the except block, where the error's frames still hold what did not fit.
    half = len(tokens) // 2
    halves: list[Recording] = []
    order: list[Tensor] = []
    for start, stop in ((0, half), (half, len(tokens))):
        rows, own = slice(start, stop), ((start <= terms.rows) & (terms.rows < stop)).nonzero()[:, 0]
        some = Terms(terms.rows[own] - start, terms.positions[own])
        part = edits.of_rows(rows)
        halves.append(record(model, tokens[rows], some, keep_patterns=keep_patterns, edits=part, step=step))
        order.append(own)
    first, second = halves
    return _joined(first, second, torch.cat(order).argsort())


def read_logits(
    model: TransformerBridge, tokens: Int[Tensor, "row pos"], terms: Terms, edits: PlacedEdits
) -> Float[Tensor, "term d_vocab"]:
    """Run the model once on right-padded tokens and keep only its logits at the terms.

    Args:
        model: which runs.
        tokens: padded on the right.
        terms: where the run is read.
        edits: made in the run.

    Raises:
        torch.OutOfMemoryError: when the rows do not fit together; it says what to turn down.
    """
    with saying_what_to_turn_down(tokens):
        return _logits(model, tokens, terms, in_order(model, [], edits))


def _logits(
    model: TransformerBridge, tokens: Int[Tensor, "row pos"], terms: Terms, hooks: list[Hook]
) -> Float[Tensor, "term d_vocab"]:
    def gather_terms(_module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (terms.take(args[0])[:, None], *args[1:])

    with ExitStack() as stack, torch.no_grad():
        stack.callback(model.unembed.register_forward_pre_hook(gather_terms).remove)
        logits: Tensor = model.run_with_hooks(tokens, return_type="logits", fwd_hooks=hooks)[:, 0]
    return logits.to(home_of(model))


def _record_together(
    model: TransformerBridge,
    tokens: Int[Tensor, "row pos"],
    terms: Terms,
    keep_patterns: bool,
    edits: PlacedEdits,
    step: Step,
) -> Recording:
    n_layers, home = int(model.cfg.n_layers), home_of(model)
    kept: dict[str, Tensor] = {}
    stops: dict[EditRow, Tensor] = {}

    def keep(part: _Part) -> Watch:
        return Watch(part.point, lambda value, **_: kept.update({part.name: part.take(value).to(home)}), part.before)

    def note(layer: int, kind: str, before: Tensor, after: Tensor) -> None:
        stops[EditRow(layer, kind)] = (_wide(terms.take(after)) - _wide(terms.take(before))).to(home)

    def progress(layer: int) -> Hook:
        return f"blocks.{layer}.hook_in", lambda _value, **_: step(layer, n_layers)

    watches = list(map(keep, _parts(model, terms, keep_patterns=keep_patterns)))
    hooks = [*map(progress, range(n_layers)), *in_order(model, watches, edits, note)]
    logits = _logits(model, tokens, terms, hooks)
    step(n_layers, n_layers)
    run = _recording(kept, terms, logits, n_layers)
    return _edited(run, terms, edits, stops) if edits else run


def _edited(run: Recording, terms: Terms, edits: PlacedEdits, stops: dict[EditRow, Tensor]) -> Recording:
    """Add what edits of the branches multiply them by, and what they add."""
    factors = _wide(run.attn_out.new_ones((*run.attn_out.shape[:2], 1)))
    mlp_out, rows = _wide(run.mlp_out).clone(), dict(stops)
    for edit in edits:
        kind, layer, _ = edit.slot
        if kind in ("attn", "mlp"):
            (factors if kind == "attn" else mlp_out)[layer] *= terms.take(edit.factor)
            if edit.plus.any():
                rows[EditRow(layer, kind)] = terms.take(edit.plus).to(factors)
    return replace(run, mlp_out=mlp_out, attn_factors=factors, edit_rows=rows)


def _joined(first: Recording, second: Recording, order: Int[Tensor, "term"]) -> Recording:
    """Join the recordings of some rows and of those after them; `order` sorts their terms as they were given."""

    def join(name: str) -> Any:
        one, other = getattr(first, name), getattr(second, name)
        if one is None:
            return None
        if isinstance(one, dict):
            return {key: torch.cat([one[key], other[key]])[order] for key in one}
        if name in _OF_ROWS:
            return torch.cat([one, other], dim=_OF_ROWS[name])
        axis = 0 if name in _TERMS_FIRST else 1
        return torch.cat([one, other], dim=axis).index_select(axis, order)

    return Recording(**{field.name: join(field.name) for field in fields(Recording)})


_OF_ROWS = {"resid": 1, "patterns": 1, "final_scales": 0}
_TERMS_FIRST = {"embed", "pos_embed", "scale", "logits", "uncapped"}


def recall(model: TransformerBridge, run: Activations, terms: Terms, *, keep_patterns: bool) -> Recording:
    """Make the recording of a run from activations that somebody has kept, and run nothing.

    Args:
        model: whose hook points and logit tail they are.
        run: what was kept.
        terms: where the run is read.
        keep_patterns: whether the recording holds them.
    """
    kept: dict[str, Tensor] = {}

    def keep(part: _Part) -> Look:
        def look(value: Tensor, **_: object) -> None:
            kept[part.name] = part.take(terms.take(value)[:, None] if part.name == _UNCAPPED else value)

        return look

    parts = _parts(model, terms, keep_patterns=keep_patterns)
    n_layers = int(model.cfg.n_layers)
    run.look(model, [Watch(part.point, keep(part)) for part in parts], range(n_layers))
    return _recording(kept, terms, logit_tail(model)(kept[_UNCAPPED]), n_layers)


def points_of(model: TransformerBridge) -> list[str]:
    """Name the hook points that a recording is made of."""
    nowhere = Terms(*torch.empty((2, 0), dtype=torch.long))
    return list(dict.fromkeys(part.point for part in _parts(model, nowhere, keep_patterns=True)))


class _Part(NamedTuple):
    """What is kept of one hook point, `before` or after an edit of it."""

    name: str
    point: str
    take: Callable[[Tensor], Tensor]
    before: bool = False


_UNCAPPED = "unembed.hook_out"


def _parts(model: TransformerBridge, terms: Terms, *, keep_patterns: bool) -> list[_Part]:
    def row_sums(pattern: Tensor) -> Tensor:
        return terms.take(pattern.transpose(1, 2)).sum(-1)

    # The model gathers it anew each time.
    known = model.hook_dict
    parts = [_Part(name, name, terms.take) for name in ("hook_embed", "hook_pos_embed")]
    parts += [_Part(name, name, whole) for name in ("ln_final.hook_in", "ln_final.hook_scale")]
    parts.append(_Part(_UNCAPPED, _UNCAPPED, lambda value: value[:, 0]))
    for layer in range(model.cfg.n_layers):
        block = f"blocks.{layer}"
        added = added_by_mixer(model, layer, known)
        parts.append(_Part(f"{block}.end", f"{block}.hook_in", terms.take, before=True))
        parts.append(_Part(f"{block}.hook_in", f"{block}.hook_in", whole))
        parts.append(_Part(f"{block}.mixed", added, terms.take, before=True))
        parts.append(_Part(f"{block}.added", added, whole))
        parts.append(_Part(f"{block}.hook_mlp_out", f"{block}.hook_mlp_out", terms.take, before=True))
        for name in ("attn.hook_z", "ln1_post.hook_scale"):
            parts.append(_Part(f"{block}.{name}", f"{block}.{name}", terms.take))
        pattern = f"{block}.attn.hook_pattern"
        parts.append(_Part(f"{block}.row_sums", pattern, row_sums))
        if keep_patterns:
            parts.append(_Part(pattern, pattern, whole))
    # Every model names some hook points that few reach, such as position embeddings in rotary models.
    return [part for part in parts if part.point in known]


def _recording(
    kept: dict[str, Tensor], terms: Terms, logits: Float[Tensor, "term d_vocab"], n_layers: int
) -> Recording:
    def per_layer(name: str) -> Tensor:
        return _stack_with_gaps([kept.get(f"blocks.{layer}.{name}") for layer in range(n_layers)], like=logits[:, :1])

    depths = []
    for layer in range(n_layers):
        before = kept[f"blocks.{layer}.hook_in"]
        depths += [before, before + kept[f"blocks.{layer}.added"]]
    depths.append(kept["ln_final.hook_in"])
    ends = [*(kept[f"blocks.{layer}.end"] for layer in range(n_layers)), terms.take(depths[-1])]
    return Recording(
        resid=torch.stack(depths),
        embed=kept["hook_embed"],
        pos_embed=kept.get("hook_pos_embed"),
        ends=torch.stack(ends),
        attn_out=per_layer("mixed"),
        mlp_out=per_layer("hook_mlp_out"),
        z=per_layer("attn.hook_z"),
        scale=terms.take(kept["ln_final.hook_scale"]),
        logits=logits,
        uncapped=kept[_UNCAPPED],
        row_sums=per_layer("row_sums"),
        post_scales=per_layer("ln1_post.hook_scale"),
        final_scales=kept["ln_final.hook_scale"],
        patterns=per_layer("attn.hook_pattern") if any("hook_pattern" in name for name in kept) else None,
    )


def _stack_with_gaps(of_layers: list[Tensor | None], like: Tensor) -> Tensor:
    """Stack what layers recorded, NaN where a layer has none of it."""
    shape = next((value.shape for value in of_layers if value is not None), like.shape)
    gap = like.new_full(shape, torch.nan)
    return torch.stack([gap if value is None else value for value in of_layers])


def _wide(value: Tensor) -> Tensor:
    return value.to(torch.promote_types(value.dtype, torch.float32))
