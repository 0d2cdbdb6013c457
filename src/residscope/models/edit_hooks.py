"""What carries edits out in a forward: a hook at each edited part, and what an activation holds besides that part."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.analysis import attribution
from residscope.models.edits import STOPS, PlacedEdit, PlacedEdits, Slot
from residscope.models.points import added_by_mixer
from residscope.models.weights import HeadWeights, constant_z, head_weights

Hook = tuple[str | Callable[..., Any], Callable[..., Any]]
"""A hook point's name, and what is called there."""

Note = Callable[[int, str, Tensor, Tensor], None]
"""Called with (layer, kind, before, after) of each edit of the residual stream."""


def edit_hooks(model: TransformerBridge, edits: PlacedEdits, note: Note) -> list[Hook]:
    """Return the hooks that make these edits in one forward.

    Args:
        model: which is to run.
        edits: of its rows.
        note: told of each edit of the residual stream.
    """
    rests = Rests(model, [edit.slot for edit in edits])

    def hook(edit: PlacedEdit) -> Callable[..., Tensor]:
        kind, layer, head = edit.slot

        def change(value: Tensor, **_: object) -> Tensor:
            rest = rests.of(edit.slot, value)
            if head is not None:
                changed = value.clone()
                changed[:, :, head] = edit.applied(value[:, :, head], rest)
                return changed
            changed = edit.applied(value, rest)
            if kind in STOPS:
                note(layer, kind, value, changed)
            return changed

        return change

    # Attention and the stream after it are edited at one point, in this order.
    ordered = sorted(edits, key=lambda edit: edit.slot.kind == "resid_mid")
    # An edit of resid_mid needs the stream before the attention, read after that has been edited.
    own: list[Hook] = [(point_of(model, edit.slot), hook(edit)) for edit in ordered]
    return [*rests.hooks_of_heads, *own, *rests.hooks_of_stream]


def point_of(model: TransformerBridge, slot: Slot) -> str:
    """Name the hook point that a part is edited at: the last that all which comes after reads.

    TransformerLens' own hook_resid_mid is read by the MLP alone.
    """
    block = f"blocks.{slot.layer}"
    if slot.kind in ("attn", "resid_mid"):
        return added_by_mixer(model, slot.layer)
    points = {"mlp": "hook_mlp_out", "resid_pre": "hook_in", "resid_post": "hook_out"}
    return f"{block}.{points.get(slot.kind, 'attn.hook_z')}"


class Rests:
    """What activations hold besides the parts that are read or edited there, in one forward.

    Attributes:
        hooks_of_heads: they see what the rest of heads and attention needs.
        hooks_of_stream: they see the stream before the attention, edited.
    """

    def __init__(self, model: TransformerBridge, slots: Iterable[Slot]) -> None:
        self._seen: dict[str, Tensor] = {}
        self._constants: dict[int, Tensor | None] = {}
        self._heads: dict[int, HeadWeights] = {}
        heads, streams = dict[str, None](), dict[str, None]()
        for kind, layer, _ in slots:
            block = f"blocks.{layer}"
            if kind in ("head", "attn"):
                self._constants[layer] = constant_z(model, layer)
                if self._constants[layer] is not None:
                    heads[f"{block}.attn.hook_pattern"] = None
                if kind == "attn":
                    self._heads[layer] = head_weights(model, layer)
                    heads[f"{block}.ln1_post.hook_scale"] = None
            elif kind == "resid_mid":
                streams[f"{block}.hook_in"] = None
        known = model.hook_dict
        self.hooks_of_heads: list[Hook] = [(point, self._see(point)) for point in heads if point in known]
        self.hooks_of_stream: list[Hook] = [(point, self._see(point)) for point in streams]

    def of(self, slot: Slot, value: Tensor) -> Tensor | None:
        """Return what this activation of the part's hook point holds besides the part; None where that is nothing."""
        kind, layer, head = slot
        if kind == "head":
            held = self._held(layer, value.shape[:2])
            return None if held is None else held[:, :, head].to(value.device)
        if kind == "attn":
            fixed = self._fixed(layer, value.shape)
            return None if fixed is None else fixed.to(value.device)
        return -self._seen[f"blocks.{layer}.hook_in"].to(value.device) if kind == "resid_mid" else None

    def _see(self, point: str) -> Callable[..., None]:
        def see(value: Tensor, **_: object) -> None:
            is_pattern = point.endswith("hook_pattern")
            self._seen[point] = _wide(value).sum(-1).transpose(1, 2) if is_pattern else value

        return see

    def _held(self, layer: int, shape: tuple[int, ...]) -> Float[Tensor, "row pos head d_head"] | None:
        """Return what z holds whatever the heads attend to: what every value holds, times the weights' sum."""
        constant = self._constants[layer]
        if constant is None:
            return None
        # Where weights are recorded after the fact, they sum to 1.
        paid = self._seen.get(f"blocks.{layer}.attn.hook_pattern")
        constant = _wide(constant)
        if paid is None:
            return constant.expand(*shape, *constant.shape)
        return paid[..., None].to(constant) * constant

    def _fixed(self, layer: int, shape: tuple[int, ...]) -> Float[Tensor, "row pos d_model"] | None:
        """Return what a layer's attention adds to the stream besides its heads."""
        head, held = self._heads[layer], self._held(layer, shape[:2])
        before: Tensor | None = None
        wide = torch.promote_types(head.W_O.dtype, torch.float32)
        if held is not None:
            before = einsum(held.to(wide), head.W_O.to(wide), "... head d_head, head d_head d_model -> ... d_model")
        if head.b_O is not None:
            before = head.b_O.to(wide).expand(shape) if before is None else before + head.b_O.to(wide)
        post = head.post_norm
        if post is None:
            return None if before is None else before * head.multiplier
        fixed = None
        if before is not None:
            scale = self._seen[f"blocks.{layer}.ln1_post.hook_scale"].to(before)
            fixed = attribution.normed(
                before.reshape(-1, shape[-1]), post.weight, scale.reshape(-1, 1), centred=post.centred
            ).reshape(shape)
        if post.bias is not None:
            fixed = post.bias.to(wide).expand(shape) if fixed is None else fixed + post.bias.to(wide)
        return None if fixed is None else fixed * head.multiplier


def _wide(value: Tensor) -> Tensor:
    return value.to(torch.promote_types(value.dtype, torch.float32))
