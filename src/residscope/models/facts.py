"""What the strip says about a model: name, numbers, processing, hooks that the views leave out."""

from dataclasses import dataclass
from pathlib import Path

from transformer_lens.model_bridge import TransformerBridge

from residscope.models.demo import is_demo
from residscope.models.twin import permanent_hooks


@dataclass(frozen=True)
class ModelFacts:
    """A model in words."""

    name: str
    dtype: str
    device: str
    processing: str
    hooks: str


def facts_of(model: TransformerBridge) -> ModelFacts:
    """Describe the user's model as it is now."""
    parameter = next(model.parameters())
    name = "demo" if is_demo(model) else Path(str(model.cfg.model_name)).name
    processed = bool(model.compatibility_mode) or bool(model._weights_processed)
    left_out = permanent_hooks(model)
    return ModelFacts(
        name=name,
        dtype=str(parameter.dtype).removeprefix("torch."),
        device=str(parameter.device),
        processing="processed weights (compatibility mode)" if processed else "raw weights",
        hooks=f"shown without the permanent hooks on {', '.join(left_out)}" if left_out else "",
    )
