"""A recording taken apart: what each part of the residual stream adds to the target."""

from dataclasses import dataclass

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from residscope.analysis import attribution
from residscope.analysis.check import LayerCheck, layer_checks
from residscope.models import Recording, TransformerBridge
from residscope.models.weights import (
    HeadWeights,
    final_norm,
    has_heads,
    head_weights,
    logit_tail,
    unembedding,
)
from residscope.target import Target


@dataclass(frozen=True)
class Decomposition:
    """The direct effects of all parts on the target, in its unit.

    Attributes:
        labels: the parts' names, `embed` to `soft_cap`.
        values: they sum to the target.
        heads: NaN for layers without attention heads.
        weighted_logits: the sum of |token weight| |logit|, for the sum check's tolerance.
        layer_checks: the worst layer of each row, as vectors.
    """

    labels: list[str]
    values: Float[Tensor, "row component"]
    heads: Float[Tensor, "row layer head"]
    weighted_logits: Float[Tensor, "row"]
    layer_checks: list[LayerCheck]


@dataclass(frozen=True)
class Direction:
    """Where the final norm's output must grow for the target to grow.

    Attributes:
        vector: kappa W_U w, in float32 or better.
        weights: w, the target's gradient in the uncapped logits.
        capped_weights: its gradient in the capped ones.
    """

    vector: Float[Tensor, "row d_model"]
    weights: Float[Tensor, "row d_vocab"]
    capped_weights: Float[Tensor, "row d_vocab"]


def direction_of(model: TransformerBridge, run: Recording, target: Target) -> Direction:
    """Return the target's direction in a recorded run."""
    wide = torch.promote_types(run.logits.dtype, torch.float32)
    tail, (W_U, _) = logit_tail(model), unembedding(model)
    logits = run.logits.to(wide)
    capped = target.gradient(logits)
    weights = capped if tail.cap is None else capped * (1 - (logits / tail.cap) ** 2)
    return Direction(attribution.unembedded(weights, W_U.to(wide)) * tail.kappa, weights, capped)


@dataclass(frozen=True)
class _Attention:
    """What one layer's attention adds: by head along the direction, and as vectors, heads and biases apart."""

    effects: Float[Tensor, "row head"]
    heads: Float[Tensor, "row d_model"]
    bias: Float[Tensor, "row d_model"] | None


def decompose(model: TransformerBridge, run: Recording, target: Target) -> Decomposition:
    """Take a recorded run apart along the target's direction, in float32 or better."""
    along = direction_of(model, run, target)
    direction, weights, wide = along.vector, along.weights, along.vector.dtype
    tail, norm, (_, b_U) = logit_tail(model), final_norm(model), unembedding(model)
    logits, scaled = run.logits.to(wide), run.uncapped.to(wide) * tail.kappa
    u = attribution.through_norm(direction, norm.weight, run.scale, centred=norm.centred)

    parts = {"embed": attribution.along(run.embed, u)}
    if run.pos_embed is not None:
        parts["pos_embed"] = attribution.along(run.pos_embed, u)
    heads, added = [], []
    for layer in range(len(run.mlp_out)):
        vectors = [run.mlp_out[layer].to(wide)]
        if has_heads(model, layer):
            attention = _attention(head_weights(model, layer), run, layer, u)
            heads.append(attention.effects)
            vectors.append(attention.heads)
            parts[f"L{layer}.attn"] = attention.effects.sum(-1)
            if attention.bias is not None:
                vectors.append(attention.bias)
                parts[f"L{layer}.attn_bias"] = attribution.along(attention.bias, u)
        else:
            heads.append(u.new_full((len(u), run.z.shape[2]), torch.nan))
            vectors.append(run.attn_out[layer].to(wide))
            parts[f"L{layer}.mixer"] = attribution.along(run.attn_out[layer], u)
        parts[f"L{layer}.mlp"] = attribution.along(run.mlp_out[layer], u)
        added.append(vectors)
    if norm.bias is not None:
        parts["norm_bias"] = attribution.along(norm.bias.expand(len(u), -1), direction)
    parts["unembed_bias"] = weights @ b_U.to(wide) * tail.kappa
    linear = (along.capped_weights * logits).sum(-1)
    if target.unit == "nats":
        parts["entropy"] = target.value(logits) - linear
    if tail.cap is not None:
        parts["soft_cap"] = linear - (weights * scaled).sum(-1)
    return Decomposition(
        labels=list(parts),
        values=torch.stack(list(parts.values()), -1).float(),
        heads=torch.stack(heads, 1).float(),
        weighted_logits=(weights.abs() * scaled.abs()).sum(-1).float(),
        layer_checks=layer_checks(added, run.ends.to(wide), run.logits.dtype),
    )


def _attention(head: HeadWeights, run: Recording, layer: int, u: Float[Tensor, "row d_model"]) -> _Attention:
    """Apply a layer's output map to its heads' parts and to what they hold whatever they attend to."""
    post, scale, wide = head.post_norm, run.post_scales[layer], u.dtype
    W_O, z = head.W_O.to(wide), run.z[layer].to(wide)
    constant = None if head.constant_z is None else run.row_sums[layer][..., None].to(wide) * head.constant_z.to(wide)

    def to_stream(vector: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
        normed = vector if post is None else attribution.normed(vector, post.weight, scale, centred=post.centred)
        return normed * head.multiplier

    def write(z: Float[Tensor, "row head d_head"]) -> Float[Tensor, "row d_model"]:
        return to_stream(einsum(z, W_O, "row head d_head, head d_head d_model -> row d_model"))

    v = u if post is None else attribution.through_norm(u, post.weight, scale, centred=post.centred)
    effects = attribution.head_effects(z, constant, attribution.fold_heads(W_O, v * head.multiplier))
    fixed = [] if constant is None else [write(constant)]
    if head.b_O is not None:
        fixed.append(to_stream(head.b_O.to(wide).expand(len(u), -1)))
    if post is not None and post.bias is not None:
        fixed.append((post.bias.to(wide) * head.multiplier).expand(len(u), -1))
    bias = torch.stack(fixed).sum(0) if fixed else None
    return _Attention(effects, write(z if constant is None else z - constant), bias)
