"""The direct effects of heads of any Hugging Face decoder, in plain torch.

Nothing here knows TransformerLens or the library, and no norm's weight is read for what it means: norms and
projections are asked what they make of a vector.
"""

import re

import torch
from torch import Tensor, nn

LAYER = re.compile(r"(\w+\.)+(layers|h)\.\d+")
ATTENTION = ("self_attn", "attn", "attention", "self_attention")
OUTPUT_MAP = ("o_proj", "c_proj", "out_proj", "dense")
NORM_BEFORE = ("input_layernorm", "ln_1", "self_attn_layer_norm")
LARGE = 1e4


class Run:
    """One row through the model, with what each module got and gave."""

    def __init__(self, model: nn.Module, ids: list[int]) -> None:
        self.got: dict[nn.Module, Tensor] = {}
        self.gave: dict[nn.Module, Tensor] = {}

        def keep(module, args, kwargs, result):
            given = args[0] if args else kwargs.get("hidden_states")
            self.got[module], self.gave[module] = given, result[0] if isinstance(result, tuple) else result

        handles = [module.register_forward_hook(keep, with_kwargs=True) for module in model.modules()]
        with torch.no_grad():
            result = model(torch.tensor([ids]), output_attentions=True)
        for handle in handles:
            handle.remove()
        # What heads pay to tokens at the last position, in all: less than 1 where a sink takes the rest.
        self.paid = iter([one[0, :, -1].sum(-1) for one in result.attentions if one is not None])


@torch.no_grad()
def head_logits(model: nn.Module, ids: list[int]) -> list[Tensor | None]:
    """Return what each head's part adds to the unembedding's output at the last position: per layer [head d_vocab]."""
    run = Run(model, ids)
    final = next(
        module
        for module, given in run.gave.items()
        if "Norm" in type(module).__name__ and given.data_ptr() == run.got[model.lm_head].data_ptr()
    )
    layers = []
    for block in (module for name, module in model.named_modules() if LAYER.fullmatch(name)):
        attention = _first(block, ATTENTION)
        if attention is None:
            layers.append(None)
            continue
        parts = [_as_part_of(final, part, run.got[final][0, -1]) for part in _parts(model, block, attention, run)]
        nothing = model.lm_head(torch.zeros_like(parts[0]))
        layers.append(torch.stack([model.lm_head(part) - nothing for part in parts]))
    return layers


@torch.no_grad()
def head_effects(model: nn.Module, ids: list[int], right: int, wrong: int | None) -> Tensor:
    """Return each head's direct effect on the target at the last position [layer head], NaN in layers without heads."""
    logits = model(torch.tensor([ids])).logits[0, -1]
    weights = _token_weights(model, logits, right, wrong)
    rows = [None if added is None else added @ weights for added in head_logits(model, ids)]
    gap = torch.full_like(next(row for row in rows if row is not None), torch.nan)
    return torch.stack([gap if row is None else row for row in rows])


def kappa(model: nn.Module) -> float:
    """Return what a model multiplies the unembedding's output by."""
    return getattr(model, "logit_scale", 1.0) / getattr(model.config, "logits_scaling", 1.0)


def _parts(model, block, attention, run) -> Tensor:
    """Return what each head adds to the stream at the last position, less what it adds whatever it attends to."""
    output_map = _first(attention, OUTPUT_MAP)
    heads = model.config.num_attention_heads
    z = run.got[output_map][0, -1].view(heads, -1)
    norm = _first(block, NORM_BEFORE)
    nothing = torch.zeros(model.config.hidden_size)
    constant = _values(model, attention, nothing if norm is None else norm(nothing))
    z = z - next(run.paid)[:, None] * constant
    parts = []
    for head in range(heads):
        alone = torch.zeros_like(z)
        alone[head] = z[head]
        part = output_map(alone.flatten()) - output_map(torch.zeros_like(alone.flatten()))
        if norm is None or hasattr(block, "pre_feedforward_layernorm"):
            part = _as_part_of(block.post_attention_layernorm, part, run.gave[attention][0, -1])
        parts.append(part * getattr(model.config, "residual_multiplier", 1.0))
    return torch.stack(parts)


def _values(model, attention, x) -> Tensor:
    """Return the values that an attention module makes of a vector, [head d_head]."""
    heads = model.config.num_attention_heads
    if hasattr(attention, "v_proj"):
        values = attention.v_proj(x)
    elif hasattr(attention, "c_attn"):
        values = attention.c_attn(x).chunk(3)[-1]
    elif hasattr(attention, "query_key_value"):
        values = attention.query_key_value(x).view(heads, 3, -1)[:, 2]
    else:
        values = attention.qkv_proj(x)[-model.config.num_key_value_heads * attention.head_dim :]
    kv_heads = heads if "num_key_value_heads" not in model.config.to_dict() else model.config.num_key_value_heads
    return values.reshape(kv_heads, -1).repeat_interleave(heads // kv_heads, 0)


def _as_part_of(norm, part: Tensor, whole: Tensor) -> Tensor:
    """Return what a norm makes of a part of its input, with the scale that it divides the whole by."""

    def linear(x):
        # A norm divides by the size of what it gets, and of a large vector its eps is nothing.
        centred = x - x.mean() if is_centred else x
        return (norm(LARGE * x) - norm(torch.zeros_like(x))) * centred.pow(2).mean().sqrt()

    ones = torch.ones_like(whole)
    is_centred = bool((norm(LARGE * ones) - norm(torch.zeros_like(ones))).abs().max() < 1e-2)
    scale = linear(whole).norm() / (norm(whole) - norm(torch.zeros_like(whole))).norm()
    return linear(part) / scale


def _token_weights(model, logits, right, wrong) -> Tensor:
    """Return the target's gradient in what the unembedding gives."""
    weights = -logits.softmax(-1) if wrong is None else torch.zeros_like(logits)
    weights[right] += 1
    if wrong is not None:
        weights[wrong] -= 1
    cap = getattr(model.config, "final_logit_softcapping", None)
    if cap:
        weights = weights * (1 - (logits / cap) ** 2)
    return weights * kappa(model)


def _first(module, names):
    return next((getattr(module, name) for name in names if hasattr(module, name)), None)
