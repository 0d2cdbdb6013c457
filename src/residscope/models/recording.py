"""Run the twin once and keep what the views need, at the places they need it."""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.models.placement import home_of
from residscope.models.size import ran_out_of_memory, saying_what_to_turn_down
from residscope.models.weights import logit_tail

Step = Callable[[int, int], None]
"""Called before each layer with (layers done, layers in all); raises to stop the run."""

Look = Callable[..., None]
"""Called with the activation of a hook point, [row pos ...] padded on the right."""


Taken = TypeVar("Taken")


@runtime_checkable
class Activations(Protocol):
    """A run whose activations can be looked at."""

    def look(self, model: TransformerBridge, looks: Sequence[tuple[str, Look]], layers: Sequence[int]) -> None:
        """Show each look the activation of its hook point, in the model's order; the points are of these layers."""


@dataclass(frozen=True)
class LiveRun:
    """A run that is made anew at each look."""

    tokens: Int[Tensor, "row pos"]

    def look(self, model: TransformerBridge, looks: Sequence[tuple[str, Look]], layers: Sequence[int]) -> None:
        """Run the model up to the last of these layers."""
        home = home_of(model)

        def gathered(look: Look) -> Look:
            return lambda value, **_: look(value.to(home))

        hooks: list[tuple[str | Callable[..., Any], Look]] = [(point, gathered(look)) for point, look in looks]
        with saying_what_to_turn_down(self.tokens), torch.no_grad():
            model.run_with_hooks(self.tokens, return_type=None, stop_at_layer=max(layers) + 1, fwd_hooks=hooks)


@dataclass(frozen=True)
class Recording:
    """What one forward left behind, on the first block's device and in the model's dtype.

    `read` is the position the target is read at, one per row; everything without a position axis is read there.
    Values at padding are whatever the model computed there: `Trace` blanks them. Layers without attention heads
    have NaN in `z`, `row_sums` and `patterns`, and what their other mixer adds in `attn_out`.

    Attributes:
        ends: what each layer gets and, last, what the final norm gets.
        uncapped: the unembedding's output, before logit scale and soft cap.
        row_sums: what each head's weights sum to: 1 but for attention sinks.
        post_scales: the scale of the norm after each layer's attention, NaN where there is none.
        final_scales: the final norm's scale at every position; `scale` is that where the target is read.
    """

    resid: Float[Tensor, "depth row pos d_model"]
    embed: Float[Tensor, "row d_model"]
    pos_embed: Float[Tensor, "row d_model"] | None
    ends: Float[Tensor, "layer_end row d_model"]
    attn_out: Float[Tensor, "layer row d_model"]
    mlp_out: Float[Tensor, "layer row d_model"]
    z: Float[Tensor, "layer row head d_head"]
    scale: Float[Tensor, "row 1"]
    logits: Float[Tensor, "row d_vocab"]
    uncapped: Float[Tensor, "row d_vocab"]
    row_sums: Float[Tensor, "layer row head"]
    post_scales: Float[Tensor, "layer row 1"]
    final_scales: Float[Tensor, "row pos 1"]
    patterns: Float[Tensor, "layer row head query key"] | None


def record(
    model: TransformerBridge,
    tokens: Int[Tensor, "row pos"],
    read: Int[Tensor, "row"],
    *,
    keep_patterns: bool,
    step: Step = lambda _done, _of: None,
) -> Recording:
    """Run the model once on right-padded tokens; where memory is short, on half of the rows after the other.

    Attention is causal and padding stands on the right, so no real position sees padding and no mask is needed.
    Only the read positions are unembedded.

    Raises:
        torch.OutOfMemoryError: when one row does not fit; it says what to turn down.
    """
    with saying_what_to_turn_down(tokens):
        try:
            return _record_together(model, tokens, read, keep_patterns=keep_patterns, step=step)
        except (MemoryError, RuntimeError) as error:
            if len(tokens) == 1 or not ran_out_of_memory(error):
                raise
    # Not in the except block, where the error's frames still hold what did not fit.
    half = len(tokens) // 2
    first, second = (
        record(model, tokens[rows], read[rows], keep_patterns=keep_patterns, step=step)
        for rows in (slice(half), slice(half, None))
    )
    return _joined(first, second)


def _record_together(
    model: TransformerBridge,
    tokens: Int[Tensor, "row pos"],
    read: Int[Tensor, "row"],
    *,
    keep_patterns: bool,
    step: Step,
) -> Recording:
    n_layers, home = int(model.cfg.n_layers), home_of(model)
    kept: dict[str, Tensor] = {}

    def gather_read(_module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (_at(read, args[0])[:, None], *args[1:])

    def keep(name: str, take: Callable[[Tensor], Tensor]) -> Callable[..., None]:
        return lambda value, **_: kept.update({name: take(value).to(home)})

    def watch(layer: int) -> tuple[str, Callable[..., None]]:
        return f"blocks.{layer}.hook_in", lambda _value, **_: step(layer, n_layers)

    hooks: list[tuple[str | Callable[..., Any], Callable[..., Any]]] = [watch(layer) for layer in range(n_layers)]
    hooks += [(part.point, keep(part.name, part.take)) for part in _parts(model, read, keep_patterns=keep_patterns)]
    with ExitStack() as stack, torch.no_grad():
        stack.callback(model.unembed.register_forward_pre_hook(gather_read).remove)
        logits = model.run_with_hooks(tokens, return_type="logits", fwd_hooks=hooks)[:, 0].to(home)
    step(n_layers, n_layers)
    return _recording(kept, read, logits, n_layers)


def _joined(first: Recording, second: Recording) -> Recording:
    def join(name: str) -> Any:
        one, other = getattr(first, name), getattr(second, name)
        return None if one is None else torch.cat([one, other], dim=0 if name in _ROWS_FIRST else 1)

    return Recording(**{field.name: join(field.name) for field in fields(Recording)})


_ROWS_FIRST = {"embed", "pos_embed", "scale", "logits", "uncapped", "final_scales"}


def recall(model: TransformerBridge, run: Activations, read: Int[Tensor, "row"], *, keep_patterns: bool) -> Recording:
    """Make the recording of a run from activations that somebody has kept, and run nothing.

    Args:
        model: whose hook points and logit tail they are.
        run: what was kept.
        read: where the target is read.
        keep_patterns: whether the recording holds them.
    """
    kept: dict[str, Tensor] = {}

    def keep(part: _Part) -> Look:
        def look(value: Tensor, **_: object) -> None:
            kept[part.name] = part.take(_at(read, value)[:, None] if part.name == _UNCAPPED else value)

        return look

    parts = _parts(model, read, keep_patterns=keep_patterns)
    n_layers = int(model.cfg.n_layers)
    run.look(model, [(part.point, keep(part)) for part in parts], range(n_layers))
    return _recording(kept, read, logit_tail(model)(kept[_UNCAPPED]), n_layers)


def points_of(model: TransformerBridge) -> list[str]:
    """Name the hook points that a recording is made of."""
    nowhere = torch.empty(0, dtype=torch.long)
    return list(dict.fromkeys(part.point for part in _parts(model, nowhere, keep_patterns=True)))


def mixing_points(model: TransformerBridge) -> list[str]:
    """Name the hook points that tell how heads mix values."""
    points = [f"blocks.{layer}.{point}" for layer in range(model.cfg.n_layers) for point in _MIXING.values()]
    known = model.hook_dict
    return [point for point in points if point in known]


class _Part(NamedTuple):
    """What is kept of one hook point."""

    name: str
    point: str
    take: Callable[[Tensor], Tensor]


_UNCAPPED = "unembed.hook_out"


def _parts(model: TransformerBridge, read: Int[Tensor, "row"], *, keep_patterns: bool) -> list[_Part]:
    def at_read(value: Tensor) -> Tensor:
        return _at(read, value)

    def row_sums(pattern: Tensor) -> Tensor:
        return at_read(pattern.transpose(1, 2)).sum(-1)

    # The model gathers it anew each time.
    known = model.hook_dict
    parts = [_Part(name, name, at_read) for name in ("hook_embed", "hook_pos_embed")]
    parts += [_Part(name, name, whole) for name in ("ln_final.hook_in", "ln_final.hook_scale")]
    parts.append(_Part(_UNCAPPED, _UNCAPPED, lambda value: value[:, 0]))
    for layer in range(model.cfg.n_layers):
        block = f"blocks.{layer}"
        parts.append(_Part(f"{block}.hook_in", f"{block}.hook_in", whole))
        parts.append(_Part(f"{block}.added", _mixer_output(model, layer, known), whole))
        for name in ("hook_mlp_out", "attn.hook_z", "ln1_post.hook_scale"):
            parts.append(_Part(f"{block}.{name}", f"{block}.{name}", at_read))
        pattern = f"{block}.attn.hook_pattern"
        parts.append(_Part(f"{block}.row_sums", pattern, row_sums))
        if keep_patterns:
            parts.append(_Part(pattern, pattern, whole))
    # Some hook points are named by every model and reached by few, such as rotary models' position embeddings.
    return [part for part in parts if part.point in known]


def _recording(
    kept: dict[str, Tensor], read: Int[Tensor, "row"], logits: Float[Tensor, "row d_vocab"], n_layers: int
) -> Recording:
    def per_layer(name: str) -> Tensor:
        return _stack_with_gaps([kept.get(f"blocks.{layer}.{name}") for layer in range(n_layers)], like=logits[:, :1])

    depths = []
    for layer in range(n_layers):
        before = kept[f"blocks.{layer}.hook_in"]
        depths += [before, before + kept[f"blocks.{layer}.added"]]
    depths.append(kept["ln_final.hook_in"])
    return Recording(
        resid=torch.stack(depths),
        embed=kept["hook_embed"],
        pos_embed=kept.get("hook_pos_embed"),
        ends=torch.stack([_at(read, depth) for depth in depths[::2]]),
        attn_out=torch.stack([_at(read, kept[f"blocks.{layer}.added"]) for layer in range(n_layers)]),
        mlp_out=per_layer("hook_mlp_out"),
        z=per_layer("attn.hook_z"),
        scale=_at(read, kept["ln_final.hook_scale"]),
        logits=logits,
        uncapped=kept[_UNCAPPED],
        row_sums=per_layer("row_sums"),
        post_scales=per_layer("ln1_post.hook_scale"),
        final_scales=kept["ln_final.hook_scale"],
        patterns=per_layer("attn.hook_pattern") if any("hook_pattern" in name for name in kept) else None,
    )


def _at(read: Int[Tensor, "row"], value: Tensor) -> Tensor:
    # Position embeddings may come with a batch axis of one.
    rows = torch.arange(len(read), device=value.device)
    return value.expand(len(read), *value.shape[1:])[rows, read.to(value.device)]


def whole(value: Tensor) -> Tensor:
    """Keep an activation as it is."""
    return value


def _mixer_output(model: TransformerBridge, layer: int, known: Container[str]) -> str:
    """Name the hook point of what a layer's attention, or the mixer in its place, adds to the residual stream."""
    block = f"blocks.{layer}"
    for name in (f"{block}.hook_attn_out", f"{block}.attn.hook_out"):
        if name in known:
            return name
    mixers = [name for name, _ in model.blocks[layer].named_children() if f"{block}.{name}.hook_out" in known]
    mixer = next(name for name in mixers if name != "mlp" and not name.startswith("ln"))
    return f"{block}.{mixer}.hook_out"


def _stack_with_gaps(of_layers: list[Tensor | None], like: Tensor) -> Tensor:
    """Stack what layers recorded, NaN where a layer has none of it."""
    shape = next((value.shape for value in of_layers if value is not None), like.shape)
    gap = like.new_full(shape, torch.nan)
    return torch.stack([gap if value is None else value for value in of_layers])


def over_patterns(
    model: TransformerBridge, run: Activations, layers: Sequence[int], take: Callable[[Tensor], Taken]
) -> dict[int, Taken]:
    """Take something from the [row head query key] pattern of each of these layers."""
    taken: dict[int, Taken] = {}

    def watch(layer: int) -> tuple[str, Look]:
        return f"blocks.{layer}.attn.hook_pattern", lambda value, **_: taken.update({layer: take(value)})

    run.look(model, [watch(layer) for layer in layers], layers)
    return taken


_MIXING = {"pattern": "attn.hook_pattern", "v": "attn.hook_v", "z": "attn.hook_z", "post": "ln1_post.hook_scale"}


@dataclass(frozen=True)
class Mixing:
    """How one layer's heads mix values: where they look, what they take, and what comes out.

    Attributes:
        post_scale: the scale of the norm after the attention, or None.
    """

    pattern: Float[Tensor, "row head query key"]
    value: Float[Tensor, "row head key d_head"]
    z: Float[Tensor, "row query head d_head"]
    post_scale: Float[Tensor, "row query 1"] | None


def record_mixing(
    model: TransformerBridge, run: Activations, layers: Sequence[int], read: Int[Tensor, "row"] | None = None
) -> Iterator[tuple[int, Mixing]]:
    """Return how each of these layers mixes; with `read` for that query alone."""
    kept: dict[tuple[int, str], Tensor] = {}

    def at_query(value: Tensor) -> Tensor:
        return value if read is None else _at(read, value)[:, None]

    def keep(layer: int, name: str) -> Look:
        def hook(value: Tensor, **_: object) -> None:
            if name == "pattern":
                # The query axis comes third here.
                value = at_query(value.transpose(1, 2)).transpose(1, 2)
            kept[layer, name] = value if name in ("pattern", "v") else at_query(value)

        return hook

    known = mixing_points(model)
    points = {f"blocks.{layer}.{point}": keep(layer, name) for layer in layers for name, point in _MIXING.items()}
    looks = [(point, points[point]) for point in known if point in points]
    run.look(model, looks, layers)
    for layer in layers:
        z = kept.pop((layer, "z"))
        value = rearrange(kept.pop((layer, "v")), "row key kv d_head -> row kv key d_head")
        value = repeat(value, "row kv key d_head -> row (kv group) key d_head", group=z.shape[2] // value.shape[1])
        yield layer, Mixing(kept.pop((layer, "pattern")), value, z, kept.pop((layer, "post"), None))


def pad_right(
    rows: Sequence[Sequence[int]], device: torch.device
) -> tuple[Int[Tensor, "row pos"], Bool[Tensor, "row pos"]]:
    """Stack token rows of different lengths, each padded on the right with its last token, with the mask of real ones.

    No real position sees the padding, but a weight of zero times one that is not finite is not zero either: only what
    is shown anyway is run. A tokenizer's own padding token may be outside the model's vocabulary.
    """
    width = max(len(row) for row in rows)
    tokens = torch.tensor([row[-1] for row in rows])[:, None].repeat(1, width)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = True
    return tokens.to(device), mask.to(device)
