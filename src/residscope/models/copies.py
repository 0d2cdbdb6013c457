"""Copy a module tree without what must not be copied: hooks, what they hold, activations, and mostly the tensors."""

import copy
import types
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

Root = TypeVar("Root", bound=torch.nn.Module)


def copy_modules(root: Root, modules: Iterable[torch.nn.Module], keep: Iterable[object]) -> Root:
    """Copy a module tree: hooks are left out, and what is to be kept is shared.

    Args:
        root: what is copied.
        modules: all modules in it.
        keep: objects that original and copy have in common: tensors, a tokenizer.
    """
    every, kept = list(modules), list(keep)
    # A notebook thread that sets hooks while we copy changes the dictionaries deepcopy walks over.
    for attempt in range(5):
        try:
            shared: dict[int, object] = {id(value): value for value in kept}
            shared |= {id(tensor): tensor.detach() for tensor in _leftovers(every)}
            shared |= {id(hooks): type(hooks)() for hooks in _hooks(every)}
            return _copied(root, every, shared)
        except RuntimeError as error:
            if "changed size during iteration" not in str(error) or attempt == 4:
                raise
    raise AssertionError


def _copied(root: Root, modules: list[torch.nn.Module], shared: dict[int, object]) -> Root:
    """Copy a module tree by its modules' state alone.

    TransformerLens' own way to copy fused attention takes the config from the original, and the way to copy from its
    class, until the copy is made: a forward in another thread would fail meanwhile.
    """
    clones = {id(one): (one, type(one).__new__(type(one))) for one in modules if hasattr(type(one), "__deepcopy__")}
    for key, (module, clone) in clones.items():
        shared[key] = clone
        # May be a method of what holds the whole model.
        shared |= {id(value): value for value in vars(module).values() if isinstance(value, types.MethodType)}
    whole = copy.deepcopy(root, shared)
    for module, clone in clones.values():
        vars(clone).update(copy.deepcopy(dict(vars(module)), shared))
    return whole


def modules_of(*roots: torch.nn.Module) -> list[torch.nn.Module]:
    """Return these modules and all in them, each once.

    `Module.modules` names each on the way, and that takes several times as long.
    """
    found: dict[int, torch.nn.Module] = {}
    waiting: list[torch.nn.Module | None] = list(roots)
    while waiting:
        module = waiting.pop()
        if module is not None and id(module) not in found:
            found[id(module)] = module
            waiting += module._modules.values()
    return list(found.values())


def tensors_of(module: torch.nn.Module) -> list[Tensor]:
    """Return a module's parameters and buffers, each once."""
    parts = modules_of(module)
    held = [tensor for part in parts for own in (part._parameters, part._buffers) for tensor in own.values()]
    return list({id(tensor): tensor for tensor in held if tensor is not None}.values())


def _leftovers(modules: list[torch.nn.Module]) -> Iterator[Tensor]:
    """Yield activations that modules keep from a forward with gradients, which deepcopy refuses to copy."""
    for module in modules:
        for value in list(vars(module).values()):
            held = list(value.values()) if isinstance(value, dict) else value
            held = held if isinstance(held, tuple | list) else (held,)
            yield from (item for item in held if isinstance(item, Tensor) and not item.is_leaf)


def _hooks(modules: list[torch.nn.Module]) -> Iterator[dict[Any, Any] | list[Any]]:
    """Yield every container of hooks: the copy gets empty ones, and what hooks hold is never copied."""
    for module in modules:
        for name, value in list(vars(module).items()):
            if "_hooks" in name and isinstance(value, dict | list):
                yield value
