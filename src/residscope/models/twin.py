"""A private copy of the user's model: same weights, no hooks, under one lock."""

import copy
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.component_setup import _wire_symbolic_hooks
from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent
from transformer_lens.utilities.attn_implementation import force_eager_attention

from residscope.models.copying import copied, tensors_of
from residscope.models.placement import is_offloaded

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
        self._tokenizer: tuple[Any, int, Any] | None = None
        self._tokenizer_lock = threading.Lock()

    @property
    def tokenizer(self) -> Any:
        """Return a private copy of the model's tokenizer: a call with padding or truncation changes the original."""
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this experiment is gone: make the experiment again")
        # A lock of its own: reading inputs must not wait for a run in progress.
        with self._tokenizer_lock:
            original = model.tokenizer
            if self._tokenizer is None or self._tokenizer[:2] != (original, len(original)):
                self._tokenizer = (original, len(original), copy.deepcopy(original))
            return self._tokenizer[2]

    @contextmanager
    def use(self) -> Iterator[TransformerBridge]:
        """Give the twin to one thread at a time, rebuilt when the model's tensors were replaced.

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
            if is_offloaded(model):
                training = model.training
                try:
                    yield model.eval()
                finally:
                    model.train(training)
                return
            if self._copy is None or not self._is_current(model):
                self._copy = _copy_of(model)
                self._seen = [(tensor, tensor.device, tensor.dtype) for tensor in tensors_of(model)]
            try:
                yield self._copy
            except KeyboardInterrupt:
                # It may have come between the setting of a hook and the note to take it away.
                self._copy = None
                raise

    def _is_current(self, model: TransformerBridge) -> bool:
        now = tensors_of(model)
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
        if any(
            handle.is_permanent and not _is_plumbing(handle.user_hook)
            for handle in [*point.fwd_hooks, *point.bwd_hooks]
        )
    ]


def fingerprint(model: TransformerBridge) -> bytes:
    """Sample every parameter (up to 64 values each, evenly spread) and its version, to notice an edit in place.

    Every edit that torch counts is noticed; one through `.data`, which torch does not count, where it meets a sample;
    none of offloaded weights.
    """
    samples: dict[torch.device, list[Tensor]] = {}
    versions = []
    for parameter in model.parameters():
        if parameter.is_meta:
            continue
        samples.setdefault(parameter.device, []).append(_sample(parameter.detach()).float())
        versions.append(0 if parameter.is_inference() else parameter._version)
    # One transfer a device: on a GPU each one waits for all that is queued.
    values = [torch.cat(of_device).cpu().numpy().tobytes() for of_device in samples.values()]
    return b"".join(values) + repr(versions).encode()


def _sample(weight: Tensor) -> Tensor:
    """Take values from a grid: to flatten a weight that is not contiguous would copy all of it."""
    per_axis = round(64 ** (1 / max(1, weight.ndim)))
    return weight[tuple(slice(None, None, max(1, -(-size // per_axis))) for size in weight.shape)].reshape(-1)


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
