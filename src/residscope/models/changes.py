"""Whether a model has changed: one walk over it notes what its numbers depend on, and a sample of its weights."""

import functools
import types
import weakref
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dis import get_instructions
from operator import attrgetter, is_, methodcaller
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint

CONFIG_SETTINGS = (
    "altup_coef_clip",
    "altup_correct_scale",
    "attention_chunk_size",
    "clip_qkv",
    "eps",
    "final_logit_softcapping",
    "is_causal",
    "layer_norm_folding",
    "layer_types",
    "log_scaling_alpha",
    "log_scaling_n_floor",
    "logits_mup_width_multiplier",
    "logits_scaling",
    "logits_soft_cap",
    "mup_enabled",
    "num_experts_per_tok",
    "num_hidden_layers",
    "output_logit_soft_cap",
    "rescale_every",
    "rope_interleave",
    "scale_attn_by_inverse_layer_idx",
    "sliding_window",
    "top_k_experts",
    "use_bidirectional_attention",
    "uses_rms_norm",
)
"""The settings that a forward reads while it runs; all others are read when the model is made."""


_DEVICE, _DTYPE, _VERSION = attrgetter("device"), attrgetter("dtype"), attrgetter("_version")
_ADDRESS = methodcaller("data_ptr")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A snapshot of what a model's numbers depend on.

    It leaves out what a model keeps while it runs, hook points, which compute nothing, and training mode, because all
    our runs are in evaluation mode.

    Attributes:
        modules: all but hook points, held weakly.
        settings: their forwards, where a user has put others in place, and what they and the configs were told.
        tensors: parameters and buffers; those of several modules occur several times.
        places: the tensors' devices and dtypes.
    """

    modules: list["weakref.ref[torch.nn.Module]"]
    settings: list[Any]
    tensors: list[Tensor]
    places: list[Any]

    def has_parts_of(self, other: "Snapshot") -> bool:
        """Tell whether both models compute the same on equal tensors."""
        same = self.modules == other.modules and len(self.settings) == len(other.settings)
        pairs = self.settings, other.settings
        return same and (all(map(is_, *pairs)) or all(map(_is_same_setting, *pairs)))

    def has_tensors_of(self, other: "Snapshot") -> bool:
        """Tell whether both have the same tensors in the same places; their values may differ."""
        same = len(self.tensors) == len(other.tensors) and all(map(is_, self.tensors, other.tensors))
        return same and self.places == other.places


def snapshot_of(*roots: torch.nn.Module) -> Snapshot:
    """Walk over these modules and their submodules, each once."""
    names: dict[type[torch.nn.Module], tuple[str, ...]] = {}
    known: set[int] = set()
    modules: list[torch.nn.Module] = []
    settings: list[Any] = []
    tensors: list[Tensor | None] = []
    waiting: list[torch.nn.Module | None] = list(roots)
    # It grows while it is gone through.
    for module in waiting:
        if module is None or id(module) in known:
            continue
        known.add(id(module))
        modules.append(module)
        own, kind = vars(module), type(module)
        if kind not in names:
            names[kind] = _settings_like(module)
        settings += map(own.get, names[kind])
        # Most modules lack one of these, and each step counts.
        if held := own["_parameters"]:
            tensors += held.values()
        if held := own["_buffers"]:
            tensors += held.values()
        if held := own["_modules"]:
            waiting += [child for child in held.values() if type(child) is not HookPoint]
    settings += [kind.forward for kind in names]
    for config in _configs(*roots):
        settings += [tuple(value) if type(value) is list else value for value in map(vars(config).get, CONFIG_SETTINGS)]
    there = [tensor for tensor in tensors if tensor is not None]
    places = [*map(_DEVICE, there), *map(_DTYPE, there)]
    return Snapshot(list(map(weakref.ref, modules)), settings, there, places)


class WeightSamples:
    """A few values of every weight, evenly spread, to notice an edit in place.

    Every edit that torch counts is noticed; one through `.data`, which torch does not count, where it meets one of up
    to 64 values of a weight; none of offloaded weights.

    Args:
        tensors: a model's; those that are no parameters are left out.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        weights = {id(one): one for one in tensors if isinstance(one, torch.nn.Parameter) and not one.is_meta}
        self._weights = list(weights.values())
        # Inference tensors have no version.
        self._counted = [weight for weight in self._weights if not weight.is_inference()]
        self._addresses: list[int] = []
        self._near: list[list[np.ndarray]] = []
        self._far: list[list[Tensor]] = []

    def read(self) -> bytes:
        """Return the values as they are now, and how often each weight has been edited."""
        addresses = list(map(_ADDRESS, self._weights))
        if addresses != self._addresses:
            self._find()
            self._addresses = addresses
        # On a GPU each transfer waits for the whole queue; on the CPU NumPy joins small pieces in a third of the time.
        values = [torch.cat([view.reshape(-1) for view in views]).cpu().numpy() for views in self._far]
        values += [np.concatenate(views, axis=None) for views in self._near]
        versions = array("q", map(_VERSION, self._counted))
        return b"".join([*(each.tobytes() for each in values), versions.tobytes()])

    def _find(self) -> None:
        near, far = defaultdict[int, list[Any]](list), defaultdict[tuple[torch.device, int], list[Tensor]](list)
        for weight in self._weights:
            # NumPy knows no bfloat16.
            view = _spread(weight.detach()).view(_BITS[weight.element_size()])
            if view.device.type == "cpu":
                near[view.element_size()].append(view.numpy())
            else:
                far[view.device, view.element_size()].append(view)
        self._near, self._far = list(near.values()), list(far.values())


_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _spread(weight: Tensor) -> Tensor:
    """Return a view of up to 64 values all over a weight; to flatten one that is not contiguous would copy it."""
    count = min(64, *weight.shape) if weight.ndim == 2 else 0
    if count >= 8:
        # Along a diagonal, which leaves out neither rows nor columns for long.
        step = sum(size // count * stride for size, stride in zip(weight.shape, weight.stride(), strict=True))
        return weight.as_strided((count,), (step,))
    per_axis = round(64 ** (1 / max(1, weight.ndim)))
    return weight[tuple(slice(None, None, max(1, -(-size // per_axis))) for size in weight.shape)]


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


def _configs(*roots: torch.nn.Module) -> Iterable[Any]:
    """Return a bridge's config and those of its Hugging Face model, each once."""
    found: list[Any] = [vars(root).get(name) for root in roots for name in ("cfg", "config")]
    found += [config.get_text_config() for config in found if getattr(type(config), "sub_configs", None)]
    return {id(config): config for config in found if config is not None}.values()


_PLAIN = (bool, int, float, str, tuple, type(None))

_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)


def _is_same_setting(one: Any, other: Any) -> bool:
    # A number that was replaced by a tensor equals nothing.
    return one is other or (type(one) in _PLAIN and type(other) in _PLAIN and one == other)


_SETTINGS: "weakref.WeakKeyDictionary[type, tuple[str, ...]]" = weakref.WeakKeyDictionary()


def _settings_like(module: torch.nn.Module) -> tuple[str, ...]:
    """Name what modules of this one's class were told: what the constructor sets, and no other method.

    So what a forward leaves behind is not among them, and neither is what somebody notes on a module.
    """
    kind = type(module)
    known = _SETTINGS.get(kind)
    if known is None:
        names = {
            name
            for name, value in list(vars(module).items())
            if name[0] != "_" and isinstance(value, _PLAIN + _FUNCTIONS)
        }
        bases = [base for base in kind.__mro__ if base is not torch.nn.Module]
        members = [(name, member) for base in bases for name, member in list(vars(base).items())]
        made = (
            names & {one for name, member in members if name == "__init__" for one in _assigned(member, names)} - _KEPT
        )
        kept = {one for name, member in members if name != "__init__" for one in _assigned(member, made)}
        known = _SETTINGS[kind] = ("forward", *sorted(made - kept))
    return known


_KEPT = {"max_seq_len_cached", "name_or_path"}
"""What no method assigns and is no setting: what rotary embeddings grow by `setattr`, and a model's name."""


def _assigned(member: Any, names: set[str]) -> Iterator[str]:
    """Yield which of these attributes a member of a class assigns, its decorators included."""
    waiting = [member.fget, member.fset] if isinstance(member, property) else [getattr(member, "__func__", member)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, types.FunctionType):
            waiting += one.__code__, getattr(one, "__wrapped__", None)
        elif isinstance(one, types.CodeType):
            waiting += one.co_consts
            # Reading instructions takes long, and few functions contain the names.
            if not names.isdisjoint(one.co_names):
                yield from (step.argval for step in get_instructions(one) if step.opname == "STORE_ATTR")
