"""What the strip says about a model: name, type, device, processing and warnings."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transformer_lens.model_bridge import TransformerBridge

from residscope.models.demo import is_demo
from residscope.models.placement import home_of, is_offloaded, is_split
from residscope.models.twin import users_hooks


@dataclass(frozen=True)
class ModelFacts:
    """A model in words."""

    name: str
    dtype: str
    device: str
    processing: str
    warnings: tuple[str, ...]


def facts_of(model: TransformerBridge) -> ModelFacts:
    """Describe the user's model as it is now."""
    home, split = home_of(model), is_split(model)
    name = "demo" if is_demo(model) else Path(str(model.cfg.model_name)).name
    processed = bool(model.compatibility_mode) or bool(model._weights_processed)
    return ModelFacts(
        name=name,
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        device=f"{home} and others" if split else str(home),
        processing="processed weights (compatibility mode)" if processed else "raw weights",
        warnings=tuple(_warnings(model)),
    )


def _warnings(model: TransformerBridge) -> Iterator[str]:
    if is_offloaded(model):
        yield (
            "This model's weights are offloaded, so residscope runs the model itself, not a copy: hooks on it take "
            "effect, and nothing else may run it at the same time."
        )
    elif hooked := users_hooks(model):
        yield (
            f"Shown without the hooks on {', '.join(hooked)}: residscope runs the model without them, and "
            "Experiment.from_cache shows a run with them."
        )
    # The wrapped model is not among the bridge's modules.
    if model.training or model.original_model.training:
        yield (
            "This model is in training mode, but is shown in evaluation mode, without dropout: after model.eval() your "
            "own runs agree with what is shown."
        )
