"""Reads the weights that direct attribution needs off a live bridge, never off its config.

All of it is on the first block's device.
"""

from dataclasses import dataclass

import torch
from einops import einsum, repeat
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.models.placement import home_of, loaded


@dataclass(frozen=True)
class Norm:
    """A norm as x -> weight * (x - mean(x) if centred) / scale + bias."""

    weight: Float[Tensor, "d_model"] | None
    bias: Float[Tensor, "d_model"] | None
    centred: bool


@dataclass(frozen=True)
class HeadWeights:
    """One layer's output map.

    Attributes:
        post_norm: the norm between the heads' sum and the residual stream, where there is one.
        multiplier: what the sum is multiplied by before it is added.
    """

    W_O: Float[Tensor, "head d_head d_model"]
    b_O: Float[Tensor, "d_model"] | None
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
    with loaded(model.ln_final):
        return _read_norm(model.ln_final, home_of(model))


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
    """Read W_O, b_O and what stands between them and the residual stream."""
    block, home = model.blocks[layer], home_of(model)
    with loaded(block):
        return HeadWeights(
            block.attn.W_O.to(home),
            _optional(block.attn, "b_O", home),
            _read_norm(block.ln1_post, home) if hasattr(block, "ln1_post") else None,
            float(getattr(block.original_component, "residual_multiplier", 1.0)),
        )


def constant_z(model: TransformerBridge, layer: int) -> Float[Tensor, "head d_head"] | None:
    """Return what each head's z holds whatever it attends to: b_V + beta W_V, grouped heads expanded.

    Beta is the bias of the norm that feeds W_V.
    """
    block, home = model.blocks[layer], home_of(model)
    attention = block.attn
    with loaded(block):
        W_V, constant = attention.W_V, _optional(attention, "b_V", home)
        beta = _optional(block.ln1, "bias", W_V.device) if hasattr(block, "ln1") else None
        if beta is not None:
            through = einsum(beta, W_V, "d_model, head d_model d_head -> head d_head").to(home)
            constant = through if constant is None else constant + through
        if constant is None:
            return None
        return repeat(constant, "kv d_head -> (kv group) d_head", group=len(attention.W_O) // len(constant))


def unembedding(model: TransformerBridge) -> tuple[Float[Tensor, "d_model d_vocab"], Float[Tensor, "d_vocab"]]:
    """Return W_U and b_U."""
    home = home_of(model)
    with loaded(model.unembed):
        return model.W_U.to(home), model.b_U.to(home)


def logits_of(model: TransformerBridge, resid: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_vocab"]:
    """Apply the model's own final norm, unembedding, logit scale and soft cap to residual vectors."""
    return logit_tail(model)(model.unembed(final_norm_of(model, resid)[None])[0].to(resid.device))


def final_norm_of(model: TransformerBridge, resid: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:
    """Apply the model's own final norm to residual vectors."""
    normed: Tensor = model.ln_final(resid[None])[0]
    return normed.to(resid.device)


def _read_norm(norm: torch.nn.Module, home: torch.device) -> Norm:
    return Norm(_norm_weight(norm, home), _optional(norm, "bias", home), not norm.uses_rms_norm)


def _norm_weight(norm: torch.nn.Module, home: torch.device) -> Tensor | None:
    weight = _optional(norm, "weight", home)
    return 1 + weight if weight is not None and norm.uses_weight_offset else weight


def _optional(module: torch.nn.Module, name: str, home: torch.device) -> Tensor | None:
    value = getattr(module, name, None)
    return value.to(home) if isinstance(value, Tensor) else None
