"""Which models can be shown, decoders with attention heads, and the sentence that refuses any other."""

from textwrap import shorten
from typing import Any

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from residscope.models.copies import modules_of, tensors_of
from residscope.models.placement import loaded
from residscope.models.weights import constant_z, final_norm, head_weights, layers_with_heads

WANTED = "give a decoder model with attention heads, such as GPT-2 or Llama"

# They predict hidden tokens of a whole text at once; no mapping of transformers tells them apart.
_DIFFUSION = ("Dream", "LLaDA", "BD3LM", "Gidd")


def why_unsupported_config(architecture: str, config: Any) -> str:
    """Say why a model of this config cannot be shown, or nothing.

    Args:
        architecture: the model class's name.
        config: its Hugging Face config.
    """
    if getattr(config, "is_encoder_decoder", False):
        return f"{architecture} is an encoder-decoder model, which reads and writes text with two stacks: {WANTED}"
    if getattr(config.get_text_config(), "vocab_size", None) is None:
        return f"{architecture} is not a language model: {WANTED}"
    if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False):
        return f"{architecture} is an encoder: its tokens see later ones, so it cannot predict the next; {WANTED}"
    if architecture.startswith(_DIFFUSION):
        return f"{architecture} is a diffusion model, whose tokens see later ones: {WANTED}"
    if getattr(config, "do_layer_norm_before", True) is False:
        return (
            f"{architecture} with do_layer_norm_before=False, like opt-350m, norms the whole residual stream after "
            "each layer, so it is not a sum of parts: give an OPT of another size, such as opt-125m or opt-1.3b"
        )
    if getattr(config.get_text_config(), "kv_lora_rank", None):
        return (
            f"the heads of {architecture} share compressed values (multi-head latent attention), and TransformerLens "
            f"cannot give each head's weights: {WANTED}"
        )
    if config.model_type == "falcon" and config.new_decoder_architecture:
        return (
            f"TransformerLens does not read the heads of a {architecture} with new_decoder_architecture=True, as in "
            "falcon-40b and falcon-11B: give one without it, such as falcon-7b"
        )
    return ""


def why_unsupported_model(model: PreTrainedModel) -> str:
    """Say why a Hugging Face model cannot be shown, or nothing."""
    name = type(model).__name__
    sentence = why_unsupported_config(name, model.config)
    if sentence:
        return sentence
    if model.get_output_embeddings() is None:
        return (
            f"{name} has no unembedding and cannot predict a next token: give the causal language model, as "
            "AutoModelForCausalLM.from_pretrained(...) loads it"
        )
    if any(type(module).__module__.startswith("torch.ao.") for module in modules_of(model)):
        return _quantised(name)
    return f"{name} {_EMPTY}" if _is_empty(model) else ""


def why_unsupported(model: TransformerBridge) -> str:
    """Say why a model cannot be shown, or nothing."""
    config = getattr(model.original_model, "config", None)
    if config is None:
        return (
            f"{model.cfg.architecture}, TransformerLens' own model, has no Hugging Face config: build a small "
            "GPT2LMHeadModel or LlamaForCausalLM, which needs no tokenizer here"
        )
    sentence = why_unsupported_config(str(model.cfg.architecture), config)
    if sentence:
        return sentence
    if not isinstance(getattr(getattr(model, "embed", None), "original_component", None), torch.nn.Embedding):
        return f"{model.cfg.architecture} is not a language model: {WANTED}"
    if not all(hasattr(model, part) for part in ("blocks", "ln_final", "unembed")):
        return f"{model.cfg.architecture} has no single stack of layers from embedding to unembedding: {WANTED}"
    if not layers_with_heads(model):
        return f"no layer of {model.cfg.architecture} has attention heads, as in a state-space model: {WANTED}"
    if _is_empty(model.original_model):
        return f"{model.cfg.architecture} {_EMPTY}"
    return _unread(model)


_EMPTY = (
    "is on the meta device, without values: load its weights with from_pretrained(...) outside torch.device('meta')"
)


def _is_empty(model: torch.nn.Module) -> bool:
    """Tell whether weights have no values; those of an offloaded model are fetched by its modules' hooks."""
    return any(tensor.is_meta for tensor in tensors_of(model)) and not any(
        "_hf_hook" in vars(module) for module in modules_of(model)
    )


def _unread(model: TransformerBridge) -> str:
    """Say why the weights that all numbers are made of cannot be read, or nothing; the other layers' are alike."""
    first = layers_with_heads(model)[0]
    try:
        head_weights(model, first), constant_z(model, first), final_norm(model)
        with loaded(model.unembed):
            _ = model.W_U
    except Exception as error:  # noqa: BLE001 - whatever TransformerLens raises is its refusal
        weights = [tensor for tensor in tensors_of(model) if isinstance(tensor, torch.nn.Parameter)]
        if any(not tensor.is_floating_point() or tensor.element_size() < 2 for tensor in weights):
            return _quantised(str(model.cfg.architecture))
        return f"residscope cannot read the weights of {model.cfg.architecture}: {said_by(error)}; {WANTED}"
    return ""


def said_by(error: Exception) -> str:
    """Quote what TransformerLens raised, in one line."""
    return f'TransformerLens says "{shorten(str(error) or type(error).__name__, 200, placeholder=" ...")}"'


def _quantised(name: str) -> str:
    return (
        f"the weights of {name} are quantised, so what its heads do cannot be read off them: load it unquantised, in "
        "float32, bfloat16 or float16"
    )
