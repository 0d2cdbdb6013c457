"""What a model is besides its tensors: its modules and how they are set, to notice what was exchanged or changed."""

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from transformer_lens.hook_points import HookPoint

from residscope.models.copies import modules_of

Part = tuple[weakref.ref[Any], int, dict[str, Any]]


def structure_of(*roots: torch.nn.Module) -> list[Part]:
    """Return each module with what it was told: equal lists are of models that compute alike on equal tensors.

    Training mode is left out, for all runs are in evaluation mode, and hook points, which compute nothing.
    """
    modules = [module for module in modules_of(*roots) if not isinstance(module, HookPoint)]
    return [_part(one) for one in (*modules, *_configs(*roots))]


def foreign_weights(model: torch.nn.Module) -> str:
    """Name the first module that shows another module's weight as its own, as adapters do; empty where none does.

    Whoever reads that weight, as TransformerLens does, leaves out what the adapter adds.
    """
    for name, module in model.named_modules():
        if not _is_honest(module):
            return f"{name} ({type(module).__name__})"
    return ""


def _is_honest(module: torch.nn.Module) -> bool:
    inside = module._modules
    if not inside or "weight" in module._parameters or "parametrizations" in inside:
        return True
    # Bridges show the weights of what they wrap, and compute with them.
    if type(module).__module__.startswith("transformer_lens."):
        return True
    return not isinstance(getattr(module, "weight", None), torch.Tensor)


def _configs(*roots: torch.nn.Module) -> Iterator[Any]:
    for root in roots:
        config = getattr(root, "config", None)
        if config is not None:
            yield config
            if hasattr(config, "get_text_config"):
                yield config.get_text_config()


def _part(one: Any) -> Part:
    own = vars(one)
    told = {
        name: value for name, value in own.items() if type(value) in _PLAIN and name[0] != "_" and name != "training"
    }
    return weakref.ref(one), id(own.get("forward")), told


_PLAIN = (bool, int, float, str, type(None))
