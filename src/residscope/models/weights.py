"""Read what direct attribution needs off a live bridge: directions' weights, never a config's word for them."""

from dataclasses import dataclass

import torch
from einops import einsum, repeat
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge


@dataclass(frozen=True)
class Norm:
    """A norm as x -> weight * (x - mean(x) if centred) / scale + bias."""

    weight: Float[Tensor, "d_model"] | None
    bias: Float[Tensor, "d_model"] | None
    centred: bool


@dataclass(frozen=True)
class HeadWeights:
    """One layer's output map, and what each head's z holds whatever it attends to.

    Attributes:
        constant_z: b_V + beta W_V per head, beta the bias of the norm that feeds W_V, grouped heads expanded.
        post_norm: the norm between the heads' sum and the residual stream, where there is one.
        multiplier: what the sum is multiplied by before it is added.
    """

    W_O: Float[Tensor, "head d_head d_model"]
    b_O: Float[Tensor, "d_model"] | None
    constant_z: Float[Tensor, "head d_head"] | None
    post_norm: Norm | None
    multiplier: float


@dataclass(frozen=True)
class LogitTail:
    """What a model does to its logits after the unembedding: logits -> cap tanh(kappa logits / cap).

    Attributes:
        kappa: the logit scale, 1 where there is none.
        cap: the soft cap, or None.
    """

    kappa: float
    cap: float | None

    def __call__(self, logits: Tensor) -> Tensor:
        """Apply scale and cap."""
        scaled = logits if self.kappa == 1 else logits * self.kappa
        return scaled if self.cap is None else torch.tanh(scaled / self.cap) * self.cap


def final_norm(model: TransformerBridge) -> Norm:
    """Read the final norm's effective weight (1 + weight where the model does so), bias and centring."""
    return _read_norm(model.ln_final)


def logit_tail(model: TransformerBridge) -> LogitTail:
    """Read the logit scale and the soft cap off the module that applies them.

    Compatibility mode folds a scale into W_U and sets the module's to 1, while the bridge's config keeps the old one.
    """
    module = model.original_model
    scaling = getattr(module.config, "logits_scaling", None)
    kappa = float(getattr(module, "logit_scale", 1.0 if scaling is None else 1.0 / scaling))
    cap = getattr(module.config, "final_logit_softcapping", None)
    return LogitTail(kappa, float(cap) if cap else None)


def has_heads(model: TransformerBridge, layer: int) -> bool:
    """Tell whether a layer has attention heads; hybrids have layers with another mixer in their place."""
    return hasattr(model.blocks[layer], "attn")


def layers_with_heads(model: TransformerBridge) -> list[int]:
    """Return the layers that have attention heads."""
    return [layer for layer in range(model.cfg.n_layers) if has_heads(model, layer)]


def head_weights(model: TransformerBridge, layer: int) -> HeadWeights:
    """Read W_O, b_O and the constant part of z of one layer."""
    block = model.blocks[layer]
    attention = block.attn
    W_V = attention.W_V
    constant = _optional(attention, "b_V")
    beta = _optional(block.ln1, "bias") if hasattr(block, "ln1") else None
    if beta is not None:
        through = einsum(beta, W_V, "d_model, head d_model d_head -> head d_head")
        constant = through if constant is None else constant + through
    W_O = attention.W_O
    if constant is not None:
        constant = repeat(constant, "kv d_head -> (kv group) d_head", group=W_O.shape[0] // constant.shape[0])
    return HeadWeights(
        W_O,
        _optional(attention, "b_O"),
        constant,
        _read_norm(block.ln1_post) if hasattr(block, "ln1_post") else None,
        float(getattr(block.original_component, "residual_multiplier", 1.0)),
    )


def unembedding(model: TransformerBridge) -> tuple[Float[Tensor, "d_model d_vocab"], Float[Tensor, "d_vocab"]]:
    """Return W_U and b_U."""
    return model.W_U, model.b_U


def logits_of(model: TransformerBridge, resid: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_vocab"]:
    """Apply the model's own final norm, unembedding, logit scale and soft cap to residual vectors."""
    return logit_tail(model)(model.unembed(model.ln_final(resid[None]))[0])


def _read_norm(norm: torch.nn.Module) -> Norm:
    return Norm(_norm_weight(norm), _optional(norm, "bias"), not norm.uses_rms_norm)


def _norm_weight(norm: torch.nn.Module) -> Tensor | None:
    weight = _optional(norm, "weight")
    return 1 + weight if weight is not None and norm.uses_weight_offset else weight


def _optional(module: torch.nn.Module, name: str) -> Tensor | None:
    value = getattr(module, name, None)
    return value if isinstance(value, Tensor) else None
