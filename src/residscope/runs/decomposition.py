"""Decomposes a recorded run: what each part of the residual stream adds to the target."""

from dataclasses import dataclass

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from residscope.analysis import attribution
from residscope.analysis.check import LayerCheck, layer_checks
from residscope.inputs.target import Target
from residscope.models import Recording, TransformerBridge
from residscope.models.recording import EditRow
from residscope.models.weights import HeadWeights, final_norm, has_heads, head_weights, logit_tail, unembedding
from residscope.runs.direction import Carried, carry_back, constants_of, direction_of


@dataclass(frozen=True)
class Decomposition:
    """The direct effects of all parts on the target, in its unit.

    Attributes:
        labels: the parts' names, `embed` to `soft_cap`.
        values: they sum to the target.
        heads: NaN for layers without attention heads.
        cancelled: what the sum check's tolerance includes besides the parts: the sum of |token weight| |logit|, and
            what cancels between the terms of a group.
    """

    labels: list[str]
    values: Float[Tensor, "group component"]
    heads: Float[Tensor, "group layer head"]
    cancelled: Float[Tensor, "group"]


def decompose(
    model: TransformerBridge, run: Recording, target: Target, weights: bytes, *, read_as: Recording | None = None
) -> Decomposition:
    """Decompose a recorded run along the target's direction, in float32 or better.

    Args:
        model: the model that has run.
        run: its recording.
        target: what is explained.
        weights: the fingerprint of the model's.
        read_as: a run of the same terms whose direction and final norm's scale are used instead of the run's own.
    """
    as_in = run if read_as is None else read_as
    along = direction_of(model, as_in, target)
    wide = along.vector.dtype
    carried = carry_back(model, along.vector, weights)
    tail, norm, (_, b_U) = logit_tail(model), final_norm(model), unembedding(model)
    logits, scaled = run.logits.to(wide), run.uncapped.to(wide) * tail.kappa
    scale = as_in.scale.to(wide)[:, 0]

    def written(vectors: Float[Tensor, "part term d_model"]) -> Float[Tensor, "part term"]:
        return einsum(vectors.to(wide), carried.u, "part term d_model, term d_model -> part term") / scale

    parts = {"embed": written(run.embed[None])[0]}
    if run.pos_embed is not None:
        parts["pos_embed"] = written(run.pos_embed[None])[0]
    heads, biases = attention_effects(run, carried, scale)
    attention, mixers, mlps = heads.sum(-1), written(run.attn_out), written(run.mlp_out)
    edits = {row: written(vector[None])[0] for row, vector in run.edit_rows.items()}
    for layer, mlp in enumerate(mlps):
        by_name = {f"L{layer}.mixer": mixers[layer]}
        if has_heads(model, layer):
            by_name = {f"L{layer}.attn": attention[layer]}
            if carried.biased[layer]:
                by_name[f"L{layer}.attn_bias"] = biases[layer]
        by_name[f"L{layer}.mlp"] = mlp
        parts |= _with_edits(layer, by_name, edits)
    if norm.bias is not None:
        parts["norm_bias"] = attribution.along(norm.bias.expand(len(scale), -1), along.vector)
    parts["unembed_bias"] = along.weights @ b_U.to(wide) * tail.kappa
    linear = (along.capped_weights * logits).sum(-1)
    if target.unit == "nats":
        parts["entropy"] = target.term_values(logits) - linear
    if tail.cap is not None:
        parts["soft_cap"] = linear - (along.weights * scaled).sum(-1)
    of_terms = torch.stack(list(parts.values()), -1)
    values = target.summed(of_terms)
    between = target.summed(of_terms.abs().sum(-1)) - values.abs().sum(-1)
    return Decomposition(
        labels=list(parts),
        values=values.float(),
        heads=target.summed(heads.transpose(0, 1)).float(),
        cancelled=(target.summed((along.weights * scaled).abs().sum(-1)) + between).float(),
    )


def _with_edits(layer: int, parts: dict[str, Tensor], edits: dict[EditRow, Tensor]) -> dict[str, Tensor]:
    """Put a layer's edit rows among its parts, each where it enters the stream."""
    placed: dict[str, Tensor] = {}

    def add(kind: str) -> None:
        if EditRow(layer, kind) in edits:
            placed[f"L{layer}.{kind}_edit"] = edits[EditRow(layer, kind)]

    add("resid_pre")
    for name, values in parts.items():
        if name == f"L{layer}.mlp":
            add("resid_mid")
        placed[name] = values
        add(name.removeprefix(f"L{layer}."))
    add("resid_post")
    return placed


def possible_labels(n_layers: int) -> tuple[str, ...]:
    """Return every label that a decomposition of this many layers can have, in order."""
    around = ("attn", "attn_edit", "attn_bias", "mixer", "resid_mid_edit", "mlp", "mlp_edit")
    parts = ("resid_pre_edit", *around, "resid_post_edit")
    layers = [f"L{layer}.{part}" for layer in range(n_layers) for part in parts]
    return ("embed", "pos_embed", *layers, "norm_bias", "unembed_bias", "entropy", "soft_cap")


def attention_effects(
    run: Recording, carried: Carried, scale: Float[Tensor, "term"]
) -> tuple[Float[Tensor, "layer term head"], Float[Tensor, "layer term"]]:
    """Return what each head adds along the direction, and what each layer's attention adds besides."""
    u = carried.u
    scales = torch.where(carried.post_normed, run.post_scales[..., 0].to(u), 1) * scale
    constants = run.row_sums.to(u) * carried.constants
    heads = attribution.head_effects(run.z.to(u), constants, carried.heads) / scales[..., None]
    if run.attn_factors is not None:
        heads = heads * run.attn_factors.to(u)
    return heads, (constants.sum(-1) + carried.output_biases) / scales + carried.post_biases / scale


def check_layers(model: TransformerBridge, run: Recording, weights: bytes) -> list[LayerCheck]:
    """Compare what each layer's parts add, as vectors, with what the layer adds; return each term's worst layer.

    Args:
        model: the model that has run.
        run: its recording.
        weights: the fingerprint of the model's.
    """
    wide = torch.promote_types(run.logits.dtype, torch.float32)
    constants = constants_of(model, weights)
    mixed, biases = run.attn_out.to(wide), torch.zeros_like(run.attn_out, dtype=wide)
    for layer, constant in constants.items():
        mixed[layer], biases[layer] = _attention_vectors(head_weights(model, layer), constant, run, layer)
        if run.attn_factors is not None:
            mixed[layer] *= run.attn_factors[layer]
    parts = [run.mlp_out.to(wide), mixed, biases]
    for row, vector in run.edit_rows.items():
        parts.append(torch.zeros_like(mixed))
        parts[-1][row.layer] = vector
    return layer_checks(torch.stack(parts, 1), run.ends.to(wide), run.logits.dtype)


def _attention_vectors(
    head: HeadWeights, constant: Float[Tensor, "head d_head"] | None, run: Recording, layer: int
) -> tuple[Float[Tensor, "term d_model"], Float[Tensor, "term d_model"] | float]:
    """Return what a layer's attention adds to the stream: the sum of its heads, and what is no head's."""
    post, scale, wide = head.post_norm, run.post_scales[layer], torch.promote_types(run.z.dtype, torch.float32)
    z = run.z[layer].to(wide)
    held = None if constant is None else run.row_sums[layer][..., None].to(wide) * constant.to(wide)

    def to_stream(vector: Float[Tensor, "term d_model"]) -> Float[Tensor, "term d_model"]:
        normed = vector if post is None else attribution.normed(vector, post.weight, scale, centred=post.centred)
        return normed * head.multiplier

    # Both through W_O at once, since reading it is most of the work.
    parts = z[None] if held is None else torch.stack([z - held, held])
    heads, *fixed = map(to_stream, einsum(parts, head.W_O.to(wide), _WRITE))
    if head.b_O is not None:
        fixed.append(to_stream(head.b_O.to(wide).expand_as(heads)))
    if post is not None and post.bias is not None:
        fixed.append((post.bias.to(wide) * head.multiplier).expand_as(heads))
    return heads, torch.stack(fixed).sum(0) if fixed else 0.0


_WRITE = "part term head d_head, head d_head d_model -> part term d_model"
