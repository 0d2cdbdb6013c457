"""A private copy of the user's model: same weights, no hooks, under one lock."""

import copy
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

_TWINS: "weakref.WeakKeyDictionary[TransformerBridge, Twin]" = weakref.WeakKeyDictionary()
_TWINS_LOCK = threading.Lock()


class Twin:
    """The module tree of one model copied with its tensors shared, on which all forwards of residscope run.

    The user's model is never touched: hooks that a notebook sets on it, permanent ones too, are not on the
    twin, and hooks that residscope sets on the twin are not on the model.
    """

    def __init__(self, model: TransformerBridge) -> None:
        self.lock = threading.RLock()
        self._model = weakref.ref(model)
        self._copy: TransformerBridge | None = None
        self._seen: list[tuple[Tensor, torch.device, torch.dtype]] = []

    @contextmanager
    def use(self) -> Iterator[TransformerBridge]:
        """Give the twin to one thread at a time, rebuilt when the model's tensors were replaced, without gradients."""
        with self.lock, torch.no_grad():
            model = self._model()
            if model is None:
                raise ReferenceError("the model of this experiment is gone: make the experiment again")
            if self._copy is None or not self._is_current(model):
                self._copy = _copy_of(model)
                self._seen = [(tensor, tensor.device, tensor.dtype) for tensor in _tensors(model)]
            yield self._copy

    def _is_current(self, model: TransformerBridge) -> bool:
        now = _tensors(model)
        return len(now) == len(self._seen) and all(
            tensor is seen and tensor.device == device and tensor.dtype == dtype
            for tensor, (seen, device, dtype) in zip(now, self._seen, strict=True)
        )


def twin_of(model: TransformerBridge) -> Twin:
    """Return the one twin of this model, shared by all experiments on it."""
    with _TWINS_LOCK:
        twin = _TWINS.get(model)
        if twin is None:
            twin = _TWINS[model] = Twin(model)
        return twin


def permanent_hooks(model: TransformerBridge) -> list[str]:
    """Name the hook points that carry permanent hooks of the user's: the twin leaves these out."""
    return [
        name
        for name, point in model.hook_dict.items()
        if any(handle.is_permanent for handle in [*point.fwd_hooks, *point.bwd_hooks])
    ]


def fingerprint(model: TransformerBridge) -> bytes:
    """Sample every parameter (up to 64 values each, evenly spaced) so that an edit in place can be noticed."""
    samples: dict[torch.device, list[Tensor]] = {}
    versions = []
    for parameter in model.parameters():
        flat = parameter.detach().reshape(-1)
        stride = max(1, flat.numel() // 64)
        samples.setdefault(parameter.device, []).append(flat[::stride][:64].float())
        versions.append(parameter._version)
    # One transfer a device: on a GPU each one waits for all that is queued.
    values = [torch.cat(of_device).cpu().numpy().tobytes() for of_device in samples.values()]
    return b"".join(values) + repr(versions).encode()


def _tensors(model: TransformerBridge) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _leftovers(model: TransformerBridge) -> Iterator[Tensor]:
    """Yield activations that modules keep from a forward with gradients, which deepcopy refuses to copy."""
    for module in model.modules():
        for value in list(vars(module).values()):
            kept = value if isinstance(value, tuple | list) else (value,)
            yield from (item for item in kept if isinstance(item, Tensor) and not item.is_leaf)


def _copy_of(model: TransformerBridge) -> TransformerBridge:
    # A notebook thread that sets hooks while we copy changes the dictionaries deepcopy walks over.
    for attempt in range(5):
        try:
            shared: dict[int, object] = {id(tensor): tensor for tensor in _tensors(model)}
            shared |= {id(tensor): tensor.detach() for tensor in _leftovers(model)}
            shared[id(model.tokenizer)] = model.tokenizer
            twin = copy.deepcopy(model, shared)
            break
        except RuntimeError as error:
            if "changed size during iteration" not in str(error) or attempt == 4:
                raise
    twin.reset_hooks(including_permanent=True)
    for module in twin.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
        module._backward_hooks.clear()
        if isinstance(module, HookPoint):
            module.fwd_hooks.clear()
            module.bwd_hooks.clear()
    return twin.eval()
