"""Turns a user's model into a bridge: a Hugging Face model gets one on a copy of its modules."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module, detect_tokenizer_bos_eos
from transformer_lens.model_bridge.sources.transformers import determine_architecture_from_hf_config
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from residscope.errors import InputError, brief
from residscope.models.changes import Snapshot, WeightSamples, foreign_weights, snapshot_of
from residscope.models.copies import copy_modules, tensors_of
from residscope.models.size import ran_out_of_memory
from residscope.models.supported import WANTED, said_by, why_unsupported, why_unsupported_model
from residscope.models.tokenizer_copy import TokenizerCopy


@dataclass(frozen=True)
class _Known:
    """The bridge of a Hugging Face model, and the state that the model was in.

    Attributes:
        samples: of the model's weights, where the bridge holds copies of some and an edit must be noticed.
        weights: what they were.
        given: the bridge's copy of the tokenizer.
    """

    bridge: TransformerBridge
    tokenizer: Any
    seen: Snapshot
    samples: WeightSamples
    weights: bytes
    given: TokenizerCopy = field(default_factory=TokenizerCopy)

    def is_of(self, model: PreTrainedModel, tokenizer: Any) -> bool:
        """Tell whether no part of the model has been replaced since."""
        now = snapshot_of(model)
        return (
            self.tokenizer is tokenizer
            and now.has_parts_of(self.seen)
            and now.has_tensors_of(self.seen)
            and self.samples.read() == self.weights
        )


_BRIDGES: "weakref.WeakKeyDictionary[PreTrainedModel, _Known]" = weakref.WeakKeyDictionary()


def as_bridge(model: Any, tokenizer: Any = None) -> TransformerBridge:
    """Return a given bridge itself, or a bridge that shares a Hugging Face model's weights.

    Args:
        model: a bridge or a Hugging Face causal language model, which is not changed.
        tokenizer: the tokenizer of a Hugging Face model; None leaves it without one.

    Raises:
        InputError: for anything else, and for models that are not decoders with attention heads.
    """
    if isinstance(model, PreTrainedModel):
        known = _BRIDGES.get(model)
        if known is None or not known.is_of(model, tokenizer):
            check_tokenizer(tokenizer)
            seen = snapshot_of(model)
            bridge = bridge_of(model, keep=seen.tensors)
            samples = WeightSamples(() if _shares_all(bridge, seen.tensors) else seen.tensors)
            known = _BRIDGES[model] = _Known(bridge, tokenizer, seen, samples, samples.read())
        set_tokenizer(known.bridge, known.given.of(tokenizer))
        # What the strip says about training mode is read off the bridge.
        known.bridge.train(model.training)
        return known.bridge
    if not isinstance(model, TransformerBridge):
        raise InputError("model", _other(model))
    if tokenizer is not None:
        raise InputError("model", "a bridge has its own tokenizer: leave tokenizer= out, or set model.tokenizer")
    sentence = why_unsupported(model) or _adapted(model.original_model)
    if sentence:
        raise InputError("model", sentence)
    return model


def check_tokenizer(tokenizer: Any) -> None:
    """Refuse anything but a transformers tokenizer or None."""
    if tokenizer is not None and not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise InputError(
            "model",
            f"a tokenizer comes from transformers, as from AutoTokenizer.from_pretrained(...), not {brief(tokenizer)}",
        )


def set_tokenizer(bridge: TransformerBridge, tokenizer: Any) -> None:
    """Give a bridge its own copy of a tokenizer, with a padding token if it has none.

    TransformerLens would load another by the tokenizer's name and lose changes made in memory. So would its setter,
    which also mistakes the tokenizer's size for the model's.
    """
    if bridge.tokenizer is tokenizer:
        return
    if tokenizer.pad_token is None and tokenizer.eos_token_id is not None:
        tokenizer.pad_token = tokenizer.eos_token
    bridge._tokenizer = tokenizer
    try:
        bridge.cfg.tokenizer_prepends_bos, bridge.cfg.tokenizer_appends_eos = detect_tokenizer_bos_eos(tokenizer)
    except Exception:  # noqa: BLE001 - a vocabulary of words may lack the one that is tried
        bridge.cfg.tokenizer_prepends_bos = bridge.cfg.tokenizer_appends_eos = False


def bridge_of(model: PreTrainedModel, keep: Sequence[Tensor]) -> TransformerBridge:
    """Build a bridge on a copy of a Hugging Face model: TransformerLens replaces submodules in place.

    Args:
        model: the model, which is not changed.
        keep: the tensors that model and bridge share.

    Raises:
        InputError: for models that cannot be shown.
    """
    sentence = why_unsupported_model(model) or _adapted(model)
    if sentence:
        raise InputError("model", sentence)
    twin = copy_modules(model, model.modules(), keep)
    # A model that was never saved does not name its class, which TransformerLens needs.
    twin.config.architectures = twin.config.architectures or [type(model).__name__]
    try:
        bridge = build_bridge_from_module(
            twin,
            determine_architecture_from_hf_config(twin.config),  # type: ignore[no-untyped-call]
            hf_config=twin.config,
            model_name=Path(model.name_or_path or type(model).__name__).name,
        )
    except Exception as error:
        if ran_out_of_memory(error):
            raise
        # TransformerLens' own message lists every model that it knows.
        unknown = isinstance(error, ValueError) and "rchitecture" in str(error)
        name = type(model).__name__
        raise InputError("model", no_bridge(name) if unknown else _not_built(name, error)) from error
    sentence = why_unsupported(bridge)
    if sentence:
        raise InputError("model", sentence)
    return bridge


def no_bridge(name: str) -> str:
    """Say that TransformerLens does not know an architecture."""
    return f"TransformerLens has no bridge for {name}: TransformerBridge.list_supported_models() lists those it has"


def _shares_all(bridge: TransformerBridge, tensors: Sequence[Tensor]) -> bool:
    """Tell whether a bridge computes with these tensors alone: some attention layers get a split copy of one matrix.

    A bias of zeros that TransformerLens adds is not a copy.
    """
    memory = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    held = (tensor for root in (bridge, bridge.original_model) for tensor in tensors_of(root))
    return all(tensor.untyped_storage().data_ptr() in memory or not tensor.any() for tensor in held)


def _adapted(model: torch.nn.Module) -> str:
    name = foreign_weights(model)
    return f"{name} adds to a weight that it does not own, as an adapter does: {_MERGE}" if name else ""


_MERGE = "merge it into the weights first (peft's model.merge_and_unload()), with tokenizer=..."


def _other(model: Any) -> str:
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if "HookedTransformer" in kinds:
        return (
            "a HookedTransformer is not supported: load it as a bridge with "
            "TransformerBridge.boot_transformers(model.cfg.model_name), and for processed weights call "
            "bridge.enable_compatibility_mode()"
        )
    if "PeftModel" in kinds:
        return f"a PEFT model's adapter is not in its weights: {_MERGE}"
    return (
        "a model is a TransformerBridge, as rs.load_model or TransformerBridge.boot_transformers returns, or a Hugging "
        f"Face causal language model with tokenizer=..., not {type(model).__name__}"
    )


def _not_built(name: str, error: Exception) -> str:
    """Say that TransformerLens fails to build a bridge, in its own words."""
    return f"residscope cannot show {name}: {said_by(error)}; {WANTED}"
