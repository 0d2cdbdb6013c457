"""The target's direction at the final norm's output, and carried back to every head.

What depends on the weights alone is computed once and remembered, so that a new prompt costs little.
"""

from collections import deque
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor

from residscope.analysis import attribution
from residscope.inputs.target import Target
from residscope.models import Recording, TransformerBridge
from residscope.models.weights import (
    HeadWeights,
    constant_z,
    final_norm,
    head_weights,
    layers_with_heads,
    logit_tail,
    unembedding,
)

DIRECTIONS = 4
"""How many of a model's newest directions are kept: as many targets can be shown side by side."""


@dataclass(frozen=True)
class Direction:
    """The direction in which the final norm's output must grow for the target to grow.

    Attributes:
        vector: kappa W_U w, in float32 or better.
        weights: w, the target's gradient in the uncapped logits.
        capped_weights: its gradient in the capped ones.
    """

    vector: Float[Tensor, "term d_model"]
    weights: Float[Tensor, "term d_vocab"]
    capped_weights: Float[Tensor, "term d_vocab"]


@dataclass(frozen=True)
class Carried:
    """A direction carried back through the weights, with the scales of all norms left out: those differ by prompt.

    Layers without attention heads have zeros.

    Attributes:
        u: along which the final residual stream is read.
        heads: along which each head's z is read.
        constants: what each head holds whatever it attends to, along it.
        output_biases: b_O, along u through the norm after the attention where there is one.
        post_biases: that norm's own bias, along u.
        post_normed: which layers have that norm.
        biased: which layers' attention adds something that is no head's.
    """

    u: Float[Tensor, "term d_model"]
    heads: Float[Tensor, "layer term head d_head"]
    constants: Float[Tensor, "layer term head"]
    output_biases: Float[Tensor, "layer term"]
    post_biases: Float[Tensor, "layer term"]
    post_normed: Bool[Tensor, "layer 1"]
    biased: tuple[bool, ...]


Constants = dict[int, Float[Tensor, "head d_head"] | None]
"""By layer what each head's z holds whatever it attends to."""


@dataclass(frozen=True)
class _Known:
    """What has been read of these weights, and computed from them.

    Attributes:
        weights: their fingerprint.
        heads: the output maps that are the model's own memory, and no copies.
    """

    weights: bytes
    constants: Constants
    heads: dict[int, HeadWeights] = field(default_factory=dict)
    carried: deque[tuple[Tensor, Carried]] = field(default_factory=lambda: deque(maxlen=DIRECTIONS))


_KNOWN: WeakKeyDictionary[TransformerBridge, _Known] = WeakKeyDictionary()


def direction_of(model: TransformerBridge, run: Recording, target: Target) -> Direction:
    """Return the target's direction in a recorded run."""
    wide = torch.promote_types(run.logits.dtype, torch.float32)
    tail, (W_U, _) = logit_tail(model), unembedding(model)
    logits = run.logits.to(wide)
    capped = target.gradient(logits)
    weights = capped if tail.cap is None else capped * (1 - (logits / tail.cap) ** 2)
    vector = attribution.unembedded(weights, W_U, target.tokens)
    return Direction(vector * tail.kappa, weights, capped)


def carry_back(model: TransformerBridge, direction: Float[Tensor, "term d_model"], weights: bytes) -> Carried:
    """Carry a direction back to every head, once while it and the weights stay the same.

    Args:
        model: whose weights are read.
        direction: of the final norm's output, one per term.
        weights: their fingerprint.
    """
    known = _known(model, weights)
    for before, carried in known.carried:
        if torch.equal(before, direction):
            return carried
    carried = _carry_back(model, direction, known)
    known.carried.append((direction, carried))
    return carried


def constants_of(model: TransformerBridge, weights: bytes) -> Constants:
    """Return what each head's z holds whatever it attends to, computed once for weights of this fingerprint."""
    return _known(model, weights).constants


def _known(model: TransformerBridge, weights: bytes) -> _Known:
    known = _KNOWN.get(model)
    if known is None or known.weights != weights:
        constants = {layer: constant_z(model, layer) for layer in layers_with_heads(model)}
        known = _KNOWN[model] = _Known(weights, constants)
    return known


def _head(model: TransformerBridge, known: _Known, layer: int) -> HeadWeights:
    if layer in known.heads:
        return known.heads[layer]
    head = head_weights(model, layer)
    # A weight gathered from another device, or made from several, would be stored twice.
    if head.W_O._is_view():
        known.heads[layer] = head
    return head


def _carry_back(model: TransformerBridge, direction: Float[Tensor, "term d_model"], known: _Known) -> Carried:
    norm, one, n_layers = final_norm(model), direction.new_ones(len(direction), 1), int(model.cfg.n_layers)
    u = attribution.through_norm(direction, norm.weight, one, centred=norm.centred)
    folded: dict[int, Tensor] = {}
    output_biases, post_biases = u.new_zeros(n_layers, len(u)), u.new_zeros(n_layers, len(u))
    post_normed = torch.zeros(n_layers, 1, dtype=torch.bool, device=u.device)
    biased = [False] * n_layers
    for layer, constant in known.constants.items():
        head = _head(model, known, layer)
        post = head.post_norm
        v = u if post is None else attribution.through_norm(u, post.weight, one, centred=post.centred)
        folded[layer] = attribution.fold_heads(head.W_O.to(u), v * head.multiplier)
        if head.b_O is not None:
            output_biases[layer] = v @ head.b_O.to(u) * head.multiplier
        if post is not None:
            post_normed[layer] = True
            post_biases[layer] = 0 if post.bias is None else u @ post.bias.to(u) * head.multiplier
        biased[layer] = any(bias is not None for bias in (constant, head.b_O, post and post.bias))
    blank = torch.zeros_like(next(iter(folded.values())))
    heads = torch.stack([folded.get(layer, blank) for layer in range(n_layers)])
    held = [known.constants.get(layer) for layer in range(n_layers)]
    z = torch.stack([blank[0] if constant is None else constant.to(u) for constant in held])
    constants = einsum(heads, z, "layer term head d_head, layer head d_head -> layer term head")
    return Carried(u, heads, constants, output_biases, post_biases, post_normed, tuple(biased))
