"""The only place that knows TransformerLens and torch modules: load, read weights, twin, record a run."""

from residscope.models.load import load_model
from residscope.models.recording import Recording, record
from residscope.models.twin import Twin, twin_of

__all__ = ["Recording", "Twin", "load_model", "record", "twin_of"]
