"""Read what direct attribution needs off a live bridge: directions' weights, never a config's word for them."""

from dataclasses import dataclass

import torch
from einops import einsum, repeat
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge


@dataclass(frozen=True)
class FinalNorm:
    """The final norm as x -> weight * (x - mean(x) if centred) / scale + bias."""

    weight: Float[Tensor, "d_model"] | None
    bias: Float[Tensor, "d_model"] | None
    centred: bool


@dataclass(frozen=True)
class HeadWeights:
    """One layer's output map, and what each head's z holds whatever it attends to.

    `constant_z` is b_V + beta W_V per head, beta the bias of the norm that feeds W_V, grouped heads expanded.
    """

    W_O: Float[Tensor, "head d_head d_model"]
    b_O: Float[Tensor, "d_model"] | None
    constant_z: Float[Tensor, "head d_head"] | None


def final_norm(model: TransformerBridge) -> FinalNorm:
    """Read the final norm's effective weight (1 + weight where the model does so), bias and centring."""
    norm = model.ln_final
    return FinalNorm(_norm_weight(norm), _optional(norm, "bias"), not norm.uses_rms_norm)


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
    return HeadWeights(W_O, _optional(attention, "b_O"), constant)


def unembedding(model: TransformerBridge) -> tuple[Float[Tensor, "d_model d_vocab"], Float[Tensor, "d_vocab"]]:
    """Return W_U and b_U."""
    return model.W_U, model.b_U


def logits_of(model: TransformerBridge, resid: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_vocab"]:
    """Apply the model's own final norm, unembedding and soft cap to residual vectors."""
    logits: Tensor = model.unembed(model.ln_final(resid[None]))[0]
    cap = getattr(model.cfg, "output_logits_soft_cap", None)
    return torch.tanh(logits / cap) * cap if cap is not None and cap > 0 else logits


def _norm_weight(norm: torch.nn.Module) -> Tensor | None:
    weight = _optional(norm, "weight")
    return 1 + weight if weight is not None and norm.uses_weight_offset else weight


def _optional(module: torch.nn.Module, name: str) -> Tensor | None:
    value = getattr(module, name, None)
    return value if isinstance(value, Tensor) else None
