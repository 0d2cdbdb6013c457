"""The only place that knows TransformerLens and torch modules: load a model, read weights, twin it, record a run."""

from transformer_lens import ActivationCache
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedModel

from residscope.models.as_bridge import as_bridge
from residscope.models.edits import Edit, Site
from residscope.models.load import load_model
from residscope.models.recording import Recording, record
from residscope.models.terms import Terms
from residscope.models.twin import Twin, twin_of

__all__ = [
    "ActivationCache",
    "Edit",
    "PreTrainedModel",
    "Recording",
    "Site",
    "Terms",
    "TransformerBridge",
    "Twin",
    "as_bridge",
    "load_model",
    "record",
    "twin_of",
]
