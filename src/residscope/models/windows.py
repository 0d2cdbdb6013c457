"""How far each layer's attention can look back: sliding windows and chunks, read off the model's own masks."""

import sys
from dataclasses import dataclass
from typing import Any

from transformer_lens.model_bridge import TransformerBridge


@dataclass(frozen=True)
class Window:
    """The keys that a layer with local attention can look at.

    Attributes:
        size: how many tokens, the query itself among them.
        chunked: whether the keys are the query's own chunk of `size` tokens instead of the last `size`.
    """

    size: int
    chunked: bool = False


def windows_of(model: TransformerBridge) -> tuple[Window | None, ...]:
    """Return each layer's window; None if it can look at every earlier token or has no attention."""
    return tuple(_window(model.original_model, layer) for layer in range(model.cfg.n_layers))


def _window(module: Any, layer: int) -> Window | None:
    config = module.config.get_text_config()
    if getattr(config, "attention_layers", None):
        # GPT-Neo's own words, older than `layer_types`.
        return Window(config.window_size) if config.attention_layers[layer] == "local" else None
    kinds = getattr(config, "layer_types", None)
    kind = kinds[layer] if kinds else "sliding_attention"
    if kind == "sliding_attention" and _masks_by(module, "create_sliding_window_causal_mask"):
        size = getattr(config, "sliding_window", None)
        return Window(size) if size else None
    if kind == "chunked_attention" and _masks_by(module, "create_chunked_causal_mask"):
        return Window(config.attention_chunk_size, chunked=True)
    return None


def _masks_by(module: Any, function: str) -> bool:
    """Tell whether the model's code makes such a mask: a config may name a window that its model never reads."""
    return hasattr(sys.modules[type(module).__module__], function)
