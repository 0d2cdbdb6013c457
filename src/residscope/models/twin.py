"""A private copy of the user's model: same weights, no hooks, under one lock."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.component_setup import _wire_symbolic_hooks
from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent
from transformer_lens.utilities.attn_implementation import force_eager_attention

from residscope.models.changes import Part, structure_of
from residscope.models.copies import copied, tensors_of
from residscope.models.placement import any_offloaded
from residscope.models.tokenizer_copy import TokenizerCopy

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
        self._structure: list[Part] = []
        self._version = 0
        self._tokenizer = TokenizerCopy()

    @property
    def tokenizer(self) -> Any:
        """Return a private copy of the model's tokenizer as it is now, or None where the model has none.

        Reading inputs does not wait for a run in progress.
        """
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this experiment is gone: make the experiment again")
        return self._tokenizer.of(model.tokenizer)

    @contextmanager
    def use(self) -> Iterator[TransformerBridge]:
        """Give the twin to one thread at a time, rebuilt when tensors or parts of the model were replaced.

        A model whose weights are offloaded has no twin and is given itself, in evaluation mode meanwhile. Gradients,
        inference mode and autocasting are off, whatever the caller's mode: they would change the numbers, or what can
        be done with them.
        """
        # No stack of contexts: an interrupt may come between its taking the lock and its noting so.
        with (
            self.lock,
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            model = self._model()
            if model is None:
                raise ReferenceError("the model of this experiment is gone: make the experiment again")
            tensors = tensors_of(model)
            if any_offloaded(tensors):
                training = model.training
                try:
                    yield model.eval()
                finally:
                    model.train(training)
                return
            structure = structure_of(model, model.original_model)
            if structure != self._structure:
                self._copy, self._structure, self._version = None, structure, self._version + 1
            if self._copy is None or not self._is_current(tensors):
                self._copy = _copy_of(model)
                self._seen = [(tensor, tensor.device, tensor.dtype) for tensor in tensors]
            try:
                yield self._copy
            except KeyboardInterrupt:
                # It may have come between the setting of a hook and the note to take it away.
                self._copy = None
                raise

    def fingerprint(self, own: TransformerBridge) -> bytes:
        """Return what changes when a weight or a part of the model does, of what `use` gives."""
        return fingerprint(own) + self._version.to_bytes(8, "little")

    def _is_current(self, now: list[Tensor]) -> bool:
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


def users_hooks(model: TransformerBridge) -> list[str]:
    """Name the hook points that carry hooks of the user's, permanent or not: the twin leaves these out."""
    # A point with several names is known by the last, which is TransformerLens' classic one.
    names = {id(point): name for name, point in model.hook_dict.items()}
    points = {id(point): point for point in model.hook_dict.values()}
    return [
        names[key]
        for key, point in points.items()
        if not all(_is_plumbing(handle.user_hook) for handle in [*point.fwd_hooks, *point.bwd_hooks])
    ]


@dataclass(frozen=True)
class _Sample:
    """A few of a weight's values, as a view of them."""

    weight: Tensor
    address: int
    values: Tensor

    def is_of(self, weight: Tensor) -> bool:
        """Tell whether this is the weight, and its values are where they were."""
        return weight is self.weight and weight.data_ptr() == self.address


_SAMPLES: "weakref.WeakKeyDictionary[torch.nn.Module, list[_Sample]]" = weakref.WeakKeyDictionary()


def fingerprint(model: torch.nn.Module) -> bytes:
    """Sample every parameter (up to 64 values each, evenly spread) and its version, to notice an edit in place.

    Every edit that torch counts is noticed; one through `.data`, which torch does not count, where it meets a sample;
    none of offloaded weights.
    """
    weights = [tensor for tensor in tensors_of(model) if isinstance(tensor, torch.nn.Parameter) and not tensor.is_meta]
    samples = _SAMPLES.get(model, [])
    if len(samples) != len(weights) or not all(map(_Sample.is_of, samples, weights)):
        samples = _SAMPLES[model] = [_Sample(weight, weight.data_ptr(), _spread(weight.detach())) for weight in weights]
    by_device: dict[torch.device, list[Tensor]] = {}
    for sample in samples:
        by_device.setdefault(sample.weight.device, []).append(sample.values.reshape(-1).float())
    # One transfer a device: on a GPU each one waits for all that is queued.
    values = [torch.cat(of_device).cpu().numpy().tobytes() for of_device in by_device.values()]
    versions = [0 if weight.is_inference() else weight._version for weight in weights]
    return b"".join(values) + repr(versions).encode()


def _spread(weight: Tensor) -> Tensor:
    """Return a view of up to 64 values all over a weight; to flatten one that is not contiguous would copy it."""
    count = min(64, *weight.shape) if weight.ndim == 2 else 0
    if count >= 8:
        # Along a diagonal, which leaves out neither rows nor columns for long.
        step = sum(size // count * stride for size, stride in zip(weight.shape, weight.stride(), strict=True))
        return weight.as_strided((count,), (step,))
    per_axis = round(64 ** (1 / max(1, weight.ndim)))
    return weight[tuple(slice(None, None, max(1, -(-size // per_axis))) for size in weight.shape)]


def _copy_of(model: TransformerBridge) -> TransformerBridge:
    # The wrapped model is not among the bridge's modules.
    modules = (*model.modules(), *model.original_model.modules())
    twin = copied(model, modules, (*tensors_of(model), model.tokenizer))
    _wire(twin)
    # Other implementations of attention never hold the weights that patterns show.
    force_eager_attention(twin.original_model, per_layer=True)
    return twin.eval()


def _is_plumbing(hook: Any) -> bool:
    """Tell a hook by which TransformerLens feeds one hook point from another from a user's."""
    return str(getattr(hook, "__module__", "")).startswith("transformer_lens.")


def _wire(twin: TransformerBridge) -> None:
    """Let TransformerLens set its own hooks anew: they went with the others, and what they hold is the user's model."""
    for module in twin.modules():
        for name, value in list(vars(module).items()):
            if name.endswith("_hooks_wired") and value:
                object.__setattr__(module, name, False)
                if name == "_placeholder_hooks_wired":
                    _wire_symbolic_hooks(cast(GeneralizedComponent, module))
            elif name.endswith("_hook_handles"):
                object.__setattr__(module, name, [])
