"""Interventions in any Hugging Face decoder by plain torch hooks, one row at a time, without padding.

Nothing here knows TransformerLens or the library's way of editing. The stream between attention and MLP is edited at
what the MLP reads and, by the same change, at what the block gives.
"""

import torch
from torch import Tensor, nn

from tests import plain

MLP = ("mlp", "block_sparse_moe")
MLP_OUT = ("dense_4h_to_h",)
NORM_BETWEEN = ("ln_2", "final_layer_norm", "pre_feedforward_layernorm", "post_attention_layernorm")


@torch.no_grad()
def logits(model: nn.Module, ids: list[int], edits: list) -> Tensor:
    """Return [pos d_vocab] under edits: (kind, layer, head, positions, factor, plus [pos d] or None)."""
    paid = {}
    # Without sinks weights sum to 1; sinks' shares are known after a run, and an edit moves those of later layers.
    has_sinks = any(name.endswith("sinks") for name, _ in model.named_parameters())
    for _ in range(1 + has_sinks * len({layer for _, layer, *_ in edits})):
        handles = [handle for edit in edits for handle in _hooks(model, paid, *edit)]
        result = model(torch.tensor([ids]), output_attentions=True)
        for handle in handles:
            handle.remove()
        attentions = iter([one[0].sum(-1).T for one in result.attentions if one is not None])
        for layer, block in enumerate(blocks(model)):
            if plain._first(block, plain.ATTENTION) is not None:
                paid[layer] = next(attentions)
    return result.logits[0]


def blocks(model):
    return [module for name, module in model.named_modules() if plain.LAYER.fullmatch(name)]


def _hooks(model, paid, kind, layer, head, positions, factor, plus):
    block = blocks(model)[layer]
    multiplier = getattr(model.config, "residual_multiplier", 1.0)

    def edited(value, part, times=1.0):
        """Return a value after the edit of a part of it; what is added stands for `times` as much in the stream."""
        flat, part = value.reshape(-1, value.shape[-1]), part.reshape(-1, value.shape[-1])
        changed = flat.clone()
        for at in positions:
            added = 0 if plus is None else plus[at] / times
            changed[at] = (flat[at] - part[at]) + factor * part[at] + added
        return changed.reshape(value.shape)

    if kind in ("head", "z"):
        attention = plain._first(block, plain.ATTENTION)
        output_map = plain._first(attention, plain.OUTPUT_MAP)

        def at_z(_module, args):
            z = args[0].reshape(args[0].shape[1], model.config.num_attention_heads, -1).clone()
            own = z[:, head]
            held = _held(model, block, attention, paid.get(layer))[:, head] if kind == "head" else 0
            z[:, head] = edited(own, own - held)
            return (z.reshape(args[0].shape),)

        return [output_map.register_forward_pre_hook(at_z)]
    if kind == "attn":
        return _attention_hooks(model, block, paid, layer, edited, multiplier)
    if kind == "mlp":
        return [_output_hook(_mlp(block), lambda value: edited(value, value, multiplier))]
    if kind == "resid_pre":
        return [_input_hook(block, lambda value: edited(value, value))]
    if kind == "resid_post":
        return [_output_hook(block, lambda value: edited(value, value))]
    moved = {}

    def between(value):
        changed = edited(value, value)
        moved["by"] = changed - value
        return changed

    norm = plain._first(block, NORM_BETWEEN)
    # After the attention's own norm the MLP of OLMo-2 reads the stream itself.
    reads = (
        block.mlp if hasattr(block, "post_feedforward_layernorm") and not hasattr(block, "input_layernorm") else norm
    )
    return [_input_hook(reads, between), _output_hook(block, lambda value: value + moved["by"].reshape(value.shape))]


def _attention_hooks(model, block, paid, layer, edited, multiplier):
    attention = plain._first(block, plain.ATTENTION)
    output_map = plain._first(attention, plain.OUTPUT_MAP)
    norm_follows = not hasattr(block, "input_layernorm") or hasattr(block, "pre_feedforward_layernorm")
    post = block.post_attention_layernorm if norm_follows and hasattr(block, "post_attention_layernorm") else None
    seen = {}

    def heads():
        parts = seen["z"] - _held(model, block, attention, paid.get(layer)).flatten(1)
        is_transposed = type(output_map).__name__ == "Conv1D"
        return parts @ (output_map.weight if is_transposed else output_map.weight.T)

    def at_norm(_module, args, value):
        # Asked for what it makes of a part, within its own hook, it must not ask itself again.
        if seen.get("asking"):
            return None
        seen["asking"] = True
        of_positions = zip(heads(), args[0].reshape(-1, args[0].shape[-1]), strict=True)
        part = torch.stack([plain._as_part_of(post, one, whole) for one, whole in of_positions])
        seen["asking"] = False
        return edited(value, part, multiplier)

    def at_map(_module, _args, value):
        return edited(value, heads(), multiplier)

    return [
        output_map.register_forward_pre_hook(
            lambda _module, args: seen.update(z=args[0].reshape(-1, args[0].shape[-1]))
        ),
        output_map.register_forward_hook(at_map) if post is None else post.register_forward_hook(at_norm),
    ]


def _held(model, block, attention, paid):
    """Return what each head's z holds whatever it attends to, [pos head d_head]."""
    norm = plain._first(block, plain.NORM_BEFORE)
    nothing = torch.zeros(model.config.hidden_size)
    constant = plain._values(model, attention, nothing if norm is None else norm(nothing))
    return constant[None] if paid is None else paid[..., None] * constant


def _mlp(block):
    if hasattr(block, "post_feedforward_layernorm"):
        return block.post_feedforward_layernorm
    if hasattr(block, "fc2"):
        return block.fc2
    mlp = plain._first(block, MLP)
    return plain._first(mlp, MLP_OUT) or mlp


def _input_hook(module, change):
    def hook(_module, args, kwargs):
        if args:
            return (change(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

    return module.register_forward_pre_hook(hook, with_kwargs=True)


def _output_hook(module, change):
    def hook(_module, _args, value):
        return (change(value[0]), *value[1:]) if isinstance(value, tuple) else change(value)

    return module.register_forward_hook(hook)
