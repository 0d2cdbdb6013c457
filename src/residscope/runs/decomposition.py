"""A recording taken apart: what each part of the residual stream adds to the target."""

from dataclasses import dataclass

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from residscope.analysis import attribution
from residscope.analysis.check import LayerCheck, layer_checks
from residscope.inputs.target import Target
from residscope.models import Recording, TransformerBridge
from residscope.models.weights import HeadWeights, final_norm, has_heads, head_weights, logit_tail, unembedding
from residscope.runs.direction import Carried, carry_back, constants_of, direction_of


@dataclass(frozen=True)
class Decomposition:
    """The direct effects of all parts on the target, in its unit.

    Attributes:
        labels: the parts' names, `embed` to `soft_cap`.
        values: they sum to the target.
        heads: NaN for layers without attention heads.
        weighted_logits: the sum of |token weight| |logit|, for the sum check's tolerance.
    """

    labels: list[str]
    values: Float[Tensor, "row component"]
    heads: Float[Tensor, "row layer head"]
    weighted_logits: Float[Tensor, "row"]


def decompose(model: TransformerBridge, run: Recording, target: Target, weights: bytes) -> Decomposition:
    """Take a recorded run apart along the target's direction, in float32 or better.

    Args:
        model: which has run.
        run: what it left behind.
        target: what is explained.
        weights: the fingerprint of the model's.
    """
    along = direction_of(model, run, target)
    wide = along.vector.dtype
    carried = carry_back(model, along.vector, weights)
    tail, norm, (_, b_U) = logit_tail(model), final_norm(model), unembedding(model)
    logits, scaled = run.logits.to(wide), run.uncapped.to(wide) * tail.kappa
    scale = run.scale.to(wide)[:, 0]

    def written(vectors: Float[Tensor, "part row d_model"]) -> Float[Tensor, "part row"]:
        return einsum(vectors.to(wide), carried.u, "part row d_model, row d_model -> part row") / scale

    parts = {"embed": written(run.embed[None])[0]}
    if run.pos_embed is not None:
        parts["pos_embed"] = written(run.pos_embed[None])[0]
    heads, biases = attention_effects(run, carried)
    attention, mixers, mlps = heads.sum(-1), written(run.attn_out), written(run.mlp_out)
    for layer, mlp in enumerate(mlps):
        if has_heads(model, layer):
            parts[f"L{layer}.attn"] = attention[layer]
            if carried.biased[layer]:
                parts[f"L{layer}.attn_bias"] = biases[layer]
        else:
            parts[f"L{layer}.mixer"] = mixers[layer]
        parts[f"L{layer}.mlp"] = mlp
    if norm.bias is not None:
        parts["norm_bias"] = attribution.along(norm.bias.expand(len(scale), -1), along.vector)
    parts["unembed_bias"] = along.weights @ b_U.to(wide) * tail.kappa
    linear = (along.capped_weights * logits).sum(-1)
    if target.unit == "nats":
        parts["entropy"] = target.value(logits) - linear
    if tail.cap is not None:
        parts["soft_cap"] = linear - (along.weights * scaled).sum(-1)
    return Decomposition(
        labels=list(parts),
        values=torch.stack(list(parts.values()), -1).float(),
        heads=heads.transpose(0, 1).float(),
        weighted_logits=(along.weights * scaled).abs().sum(-1).float(),
    )


def possible_labels(n_layers: int) -> tuple[str, ...]:
    """Return every label that a decomposition of so many layers may have, in their order."""
    parts = ("attn", "attn_bias", "mixer", "mlp")
    layers = [f"L{layer}.{part}" for layer in range(n_layers) for part in parts]
    return ("embed", "pos_embed", *layers, "norm_bias", "unembed_bias", "entropy", "soft_cap")


def attention_effects(
    run: Recording, carried: Carried
) -> tuple[Float[Tensor, "layer row head"], Float[Tensor, "layer row"]]:
    """Return what each head adds along the direction, and what each layer's attention adds besides."""
    u, scale = carried.u, run.scale.to(carried.u)[:, 0]
    scales = torch.where(carried.post_normed, run.post_scales[..., 0].to(u), 1) * scale
    constants = run.row_sums.to(u) * carried.constants
    heads = attribution.head_effects(run.z.to(u), constants, carried.heads) / scales[..., None]
    return heads, (constants.sum(-1) + carried.output_biases) / scales + carried.post_biases / scale


def check_layers(model: TransformerBridge, run: Recording, weights: bytes) -> list[LayerCheck]:
    """Compare what each layer's parts add, as vectors, with what the layer adds; return each row's worst layer.

    Args:
        model: which has run.
        run: what it left behind.
        weights: the fingerprint of the model's.
    """
    wide = torch.promote_types(run.logits.dtype, torch.float32)
    constants = constants_of(model, weights)
    mixed, biases = run.attn_out.to(wide), torch.zeros_like(run.attn_out, dtype=wide)
    for layer, constant in constants.items():
        mixed[layer], biases[layer] = _attention_vectors(head_weights(model, layer), constant, run, layer)
    return layer_checks(torch.stack([run.mlp_out.to(wide), mixed, biases], 1), run.ends.to(wide), run.logits.dtype)


def _attention_vectors(
    head: HeadWeights, constant: Float[Tensor, "head d_head"] | None, run: Recording, layer: int
) -> tuple[Float[Tensor, "row d_model"], Float[Tensor, "row d_model"] | float]:
    """Return what a layer's attention adds to the stream: the sum of its heads, and what is no head's."""
    post, scale, wide = head.post_norm, run.post_scales[layer], torch.promote_types(run.z.dtype, torch.float32)
    z = run.z[layer].to(wide)
    held = None if constant is None else run.row_sums[layer][..., None].to(wide) * constant.to(wide)

    def to_stream(vector: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
        normed = vector if post is None else attribution.normed(vector, post.weight, scale, centred=post.centred)
        return normed * head.multiplier

    # Both through W_O at once, since to read it is most of the work.
    parts = z[None] if held is None else torch.stack([z - held, held])
    heads, *fixed = map(to_stream, einsum(parts, head.W_O.to(wide), _WRITE))
    if head.b_O is not None:
        fixed.append(to_stream(head.b_O.to(wide).expand_as(heads)))
    if post is not None and post.bias is not None:
        fixed.append((post.bias.to(wide) * head.multiplier).expand_as(heads))
    return heads, torch.stack(fixed).sum(0) if fixed else 0.0


_WRITE = "part row head d_head, head d_head d_model -> part row d_model"
