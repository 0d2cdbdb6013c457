"""Run the twin once and keep what the views need, at the places they need it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

Step = Callable[[int, int], None]
"""Called before each layer with (layers done, layers in all); raises to stop the run."""


@dataclass(frozen=True)
class Recording:
    """What one forward left behind, on the model's device and in its dtype.

    `read` is the position the target is read at, one per row; everything without a position axis is read there.
    Values at padding are whatever the model computed there: `Trace` blanks them.
    """

    resid: Float[Tensor, "depth row pos d_model"]
    embed: Float[Tensor, "row d_model"]
    pos_embed: Float[Tensor, "row d_model"] | None
    attn_out: Float[Tensor, "layer row d_model"]
    mlp_out: Float[Tensor, "layer row d_model"]
    z: Float[Tensor, "layer row head d_head"]
    scale: Float[Tensor, "row 1"]
    logits: Float[Tensor, "row d_vocab"]
    patterns: Float[Tensor, "layer row head query key"] | None


def record(
    model: TransformerBridge,
    tokens: Int[Tensor, "row pos"],
    read: Int[Tensor, "row"],
    *,
    keep_patterns: bool,
    step: Step = lambda _done, _of: None,
) -> Recording:
    """Run the model once on right-padded tokens.

    Attention is causal and padding stands on the right, so no real position sees padding and no mask is needed.
    Only the read positions are unembedded.
    """
    layers = range(model.cfg.n_layers)
    rows = torch.arange(len(tokens), device=tokens.device)
    kept: dict[str, Tensor] = {}

    def keep(name: str, at_read: bool = False) -> tuple[str, Callable[..., None]]:
        def hook(value: Tensor, **_: object) -> None:
            # Position embeddings may come with a batch axis of one.
            kept[name] = value.expand(len(rows), *value.shape[1:])[rows, read] if at_read else value

        return name, hook

    def watch(layer: int) -> tuple[str, Callable[..., None]]:
        return f"blocks.{layer}.hook_in", lambda _value, **_: step(layer, len(layers))

    def gather_read(_module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0][rows, read][:, None], *args[1:])

    hooks: list[tuple[str | Callable[..., Any], Callable[..., Any]]] = [
        keep("hook_embed", at_read=True),
        keep("ln_final.hook_in"),
        keep("ln_final.hook_scale", at_read=True),
    ]
    # Rotary models name this hook point too and never reach it.
    if "hook_pos_embed" in model.hook_dict:
        hooks.append(keep("hook_pos_embed", at_read=True))
    attn_full: dict[int, Tensor] = {}

    def keep_attn(layer: int) -> tuple[str, Callable[..., None]]:
        def hook(value: Tensor, **_: object) -> None:
            attn_full[layer] = value

        return f"blocks.{layer}.hook_attn_out", hook

    for layer in layers:
        block = f"blocks.{layer}"
        hooks += [watch(layer), keep(f"{block}.hook_in"), keep_attn(layer)]
        hooks += [keep(f"{block}.hook_mlp_out", at_read=True), keep(f"{block}.attn.hook_z", at_read=True)]
        if keep_patterns:
            hooks.append(keep(f"{block}.attn.hook_pattern"))

    with ExitStack() as stack, torch.no_grad():
        stack.callback(model.unembed.register_forward_pre_hook(gather_read).remove)
        logits = model.run_with_hooks(tokens, return_type="logits", fwd_hooks=hooks)[:, 0]
        step(len(layers), len(layers))
        depths = []
        for layer in layers:
            before = kept[f"blocks.{layer}.hook_in"]
            depths += [before, before + attn_full[layer]]
        depths.append(kept["ln_final.hook_in"])
        return Recording(
            resid=torch.stack(depths),
            embed=kept["hook_embed"],
            pos_embed=kept.get("hook_pos_embed"),
            attn_out=torch.stack([attn_full[layer][rows, read] for layer in layers]),
            mlp_out=torch.stack([kept[f"blocks.{layer}.hook_mlp_out"] for layer in layers]),
            z=torch.stack([kept[f"blocks.{layer}.attn.hook_z"] for layer in layers]),
            scale=kept["ln_final.hook_scale"],
            logits=logits,
            patterns=torch.stack([kept[f"blocks.{layer}.attn.hook_pattern"] for layer in layers])
            if keep_patterns
            else None,
        )


def record_pattern(
    model: TransformerBridge, tokens: Int[Tensor, "row pos"], layer: int
) -> Float[Tensor, "row head query key"]:
    """Run the model up to one layer and return that layer's attention pattern."""
    kept: list[Tensor] = []
    name = f"blocks.{layer}.attn.hook_pattern"
    with torch.no_grad():
        model.run_with_hooks(
            tokens,
            return_type=None,
            stop_at_layer=layer + 1,
            fwd_hooks=[(name, lambda value, **_: kept.append(value))],
        )
    return kept[0]


def pad_right(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[Int[Tensor, "row pos"], Bool[Tensor, "row pos"]]:
    """Stack token rows of different lengths, padded on the right, with the mask of real tokens."""
    width = max(len(row) for row in rows)
    tokens = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = True
    return tokens.to(device), mask.to(device)
