"""Which models can be shown: decoders with attention heads; and the sentence for each other kind."""

from typing import Any

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from residscope.models.weights import layers_with_heads

_WANTED = "give a decoder model with attention heads, such as GPT-2 or Llama"

# They predict hidden tokens of a whole text at once; no mapping of transformers tells them apart.
_DIFFUSION = ("Dream", "LLaDA", "BD3LM", "Gidd")


def why_not_config(architecture: str, config: Any) -> str:
    """Say why a model of this config is none that can be shown, or nothing.

    Args:
        architecture: the model class's name.
        config: its Hugging Face config.
    """
    if getattr(config, "is_encoder_decoder", False):
        return f"{architecture} is an encoder-decoder model, whose text is read and written by two stacks: {_WANTED}"
    if getattr(config.get_text_config(), "vocab_size", None) is None:
        return f"{architecture} is no language model: {_WANTED}"
    if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False):
        return f"{architecture} is an encoder: its tokens see what follows, and it predicts no next token; {_WANTED}"
    if architecture.startswith(_DIFFUSION):
        return f"{architecture} is a diffusion model, whose tokens see what follows: {_WANTED}"
    return ""


def why_not(model: TransformerBridge) -> str:
    """Say why a model is none that can be shown, or nothing."""
    sentence = why_not_config(str(model.cfg.architecture), model.original_model.config)
    if sentence:
        return sentence
    if not isinstance(getattr(getattr(model, "embed", None), "original_component", None), torch.nn.Embedding):
        return f"{model.cfg.architecture} is no language model: {_WANTED}"
    if not all(hasattr(model, part) for part in ("blocks", "ln_final", "unembed")):
        return f"{model.cfg.architecture} has no single stack of layers from embedding to unembedding: {_WANTED}"
    if not layers_with_heads(model):
        return f"no layer of {model.cfg.architecture} has attention heads, as in a state-space model: {_WANTED}"
    return ""
