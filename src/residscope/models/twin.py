"""A private copy of the user's model: same weights, no hooks, under one lock."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.component_setup import _wire_symbolic_hooks
from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent
from transformer_lens.utilities.attn_implementation import force_eager_attention

from residscope.models.changes import Snapshot, WeightSamples, snapshot_of
from residscope.models.copies import copy_modules, tensors_of
from residscope.models.placement import any_offloaded
from residscope.models.tokenizer_copy import TokenizerCopy

_TWINS: "weakref.WeakKeyDictionary[TransformerBridge, Twin]" = weakref.WeakKeyDictionary()
_TWINS_LOCK = threading.Lock()


class Twin:
    """A copy of a model's modules that shares its tensors; all forwards of residscope run on it.

    The user's model is never touched: hooks that a notebook sets on it, permanent ones too, are not on the
    twin, and hooks that residscope sets on the twin are not on the model.
    """

    def __init__(self, model: TransformerBridge) -> None:
        self.lock = threading.RLock()
        self._model = weakref.ref(model)
        self._copy: TransformerBridge | None = None
        self._seen: Snapshot | None = None
        self._samples = WeightSamples(())
        self._offloaded = False
        self._version = 0
        self._last: _Look | None = None
        self._tokenizer = TokenizerCopy()

    @property
    def tokenizer(self) -> Any:
        """Return a private copy of the model's tokenizer as it is now, or None if it has none.

        Reading inputs does not wait for a running job.
        """
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this experiment no longer exists: make a new experiment")
        return self._tokenizer.of(model.tokenizer)

    @contextmanager
    def use(self) -> Iterator[TransformerBridge]:
        """Give the twin to one thread at a time, rebuilt when tensors or parts of the model were replaced.

        A model whose weights are offloaded has no twin and is given itself, in evaluation mode meanwhile. Gradients,
        inference mode and autocasting are off, whatever the caller's mode: they would change the numbers, or what can
        be done with them.
        """
        # Not an ExitStack: an interrupt could come between taking the lock and noting it.
        with (
            self.lock,
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            model = self._model()
            if model is None:
                raise ReferenceError("the model of this experiment no longer exists: make a new experiment")
            look = self._last = self._look(model)
            if look.copy is None:
                training = model.training
                try:
                    yield model.eval()
                finally:
                    model.train(training)
                return
            try:
                yield look.copy
            except KeyboardInterrupt:
                # An interrupt may have come between setting a hook and noting that it must be removed.
                self._copy = self._last = None
                raise

    @property
    def weights(self) -> bytes:
        """Return a fingerprint of the twin while it is in use; it differs when a weight or a part has changed."""
        assert self._last is not None
        return self._last.weights

    def _look(self, model: TransformerBridge) -> "_Look":
        looks = _LOOKS.get()
        if looks is not None and self._last is not None and looks.get(self) is self._last:
            return self._last
        now, seen = snapshot_of(model, model.original_model), self._seen
        if seen is None or not now.has_parts_of(seen):
            self._copy, self._version = None, self._version + 1
        if seen is None or not now.has_tensors_of(seen):
            self._copy, self._samples, self._offloaded = None, WeightSamples(now.tensors), any_offloaded(now.tensors)
        self._seen = now
        if self._offloaded:
            self._copy = None
        elif self._copy is None:
            self._copy = _copy_of(model)
        look = _Look(self._copy, self._samples.read() + self._version.to_bytes(8, "little"))
        if looks is not None:
            looks[self] = look
        return look


@dataclass(frozen=True, eq=False)
class _Look:
    """What one look at a model found.

    Attributes:
        copy: a copy of the model as it is, None if its weights are offloaded.
        weights: a fingerprint of its weights and parts.
    """

    copy: TransformerBridge | None
    weights: bytes


_LOOKS: ContextVar[dict[Twin, _Look] | None] = ContextVar("looks", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Look at a model once for all that this thread computes inside, not at each use of its twin.

    For what one call or one gesture computes at a stretch: what is changed meanwhile is noticed after it.
    """
    token = _LOOKS.set({}) if _LOOKS.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _LOOKS.reset(token)


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


def _copy_of(model: TransformerBridge) -> TransformerBridge:
    # The wrapped model is not among the bridge's modules.
    modules = (*model.modules(), *model.original_model.modules())
    twin = copy_modules(model, modules, (*tensors_of(model), model.tokenizer))
    _wire(twin)
    # Other implementations of attention never hold the weights that patterns show.
    force_eager_attention(twin.original_model, per_layer=True)
    return twin.eval()


def _is_plumbing(hook: Any) -> bool:
    """Tell a hook by which TransformerLens feeds one hook point from another from a user's."""
    return str(getattr(hook, "__module__", "")).startswith("transformer_lens.")


def _wire(twin: TransformerBridge) -> None:
    """Let TransformerLens set its own hooks again: they were removed with the others, and hold the user's model."""
    for module in twin.modules():
        for name, value in list(vars(module).items()):
            if name.endswith("_hooks_wired") and value:
                object.__setattr__(module, name, False)
                if name == "_placeholder_hooks_wired":
                    _wire_symbolic_hooks(cast(GeneralizedComponent, module))
            elif name.endswith("_hook_handles"):
                object.__setattr__(module, name, [])
