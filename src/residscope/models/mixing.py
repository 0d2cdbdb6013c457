"""How one layer's heads mix values: their patterns, their values, and what comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.models.activations import Activations, Look, Watch
from residscope.models.edits import PlacedEdits
from residscope.models.terms import Terms

_MIXING = {
    "pattern": "attn.hook_pattern",
    "v": "attn.hook_v",
    "mixed": "attn.hook_z",
    "z": "attn.hook_z",
    "post": "ln1_post.hook_scale",
}


@dataclass(frozen=True)
class Mixing:
    """How one layer's heads mix values.

    Attributes:
        pattern: where they look.
        value: what they take.
        mixed: what the attention makes of it.
        z: the same after an edit of it.
        post_scale: the scale of the norm after the attention, or None.
        passed: what share of what a head mixes reaches the stream: 1, or what an edit multiplies it by; NaN where an
            edit adds to it, or replaces it. None where nothing is edited.
    """

    pattern: Float[Tensor, "row head query key"]
    value: Float[Tensor, "row head key d_head"]
    mixed: Float[Tensor, "row query head d_head"]
    z: Float[Tensor, "row query head d_head"]
    post_scale: Float[Tensor, "row query 1"] | None
    passed: Float[Tensor, "row query head"] | None


def mixing_points(model: TransformerBridge) -> list[str]:
    """Name the hook points that tell how heads mix values."""
    of_layer = dict.fromkeys(_MIXING.values())
    points = [f"blocks.{layer}.{point}" for layer in range(model.cfg.n_layers) for point in of_layer]
    known = model.hook_dict
    return [point for point in points if point in known]


def record_mixing(
    model: TransformerBridge, run: Activations, layers: Sequence[int], terms: Terms | None = None
) -> Iterator[tuple[int, Mixing]]:
    """Return how each of these layers mixes; with terms for these queries alone, one each in place of a row."""
    kept: dict[tuple[int, str], Tensor] = {}

    def at_query(value: Tensor) -> Tensor:
        return value if terms is None else terms.take(value)[:, None]

    def keep(layer: int, name: str) -> Look:
        def hook(value: Tensor, **_: object) -> None:
            if name == "pattern":
                # The query axis comes third here.
                value = at_query(value.transpose(1, 2)).transpose(1, 2)
            elif name == "v":
                value = value if terms is None else value[terms.rows.to(value.device)]
            else:
                value = at_query(value)
            kept[layer, name] = value

        return hook

    known = set(mixing_points(model))
    points = [(layer, name, f"blocks.{layer}.{point}") for layer in layers for name, point in _MIXING.items()]
    watches = [Watch(point, keep(layer, name), name == "mixed") for layer, name, point in points if point in known]
    run.look(model, watches, layers)
    for layer in layers:
        z = kept.pop((layer, "z"))
        value = rearrange(kept.pop((layer, "v")), "row key kv d_head -> row kv key d_head")
        value = repeat(value, "row kv key d_head -> row (kv group) key d_head", group=z.shape[2] // value.shape[1])
        passed = passed_on(run.edits, layer, z.shape[2])
        yield (
            layer,
            Mixing(
                kept.pop((layer, "pattern")),
                value,
                kept.pop((layer, "mixed")),
                z,
                kept.pop((layer, "post"), None),
                None if passed is None else at_query(passed),
            ),
        )


def passed_on(edits: PlacedEdits, layer: int, n_heads: int) -> Float[Tensor, "row pos head"] | None:
    """Return what share of each head's mix reaches the stream, as `Mixing.passed` is; None where nothing is edited."""
    own = [edit for kind in ("head", "z") for edit in edits.find(kind, layer)]
    branch = edits.find("attn", layer)
    if not own and not branch:
        return None
    like = (own or branch)[0].factor
    passed = like.new_ones((*like.shape[:2], n_heads))
    for edit in own:
        head = edit.slot.head
        # An edit of all of z scales what z holds whatever the head attends to as well, and that comes from no token.
        replaced = edit.adds | ((edit.factor[..., 0] != 1) & (edit.slot.kind == "z"))
        passed[:, :, head] = passed[:, :, head] * edit.factor[..., 0].masked_fill(replaced, torch.nan)
    for edit in branch:
        passed = passed * edit.factor
    return passed
