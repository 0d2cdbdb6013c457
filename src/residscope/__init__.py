"""Linked, live views of a transformer's insides for Jupyter.

The names below load on first use, so that `import residscope` loads neither torch nor transformer_lens.
"""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residscope.errors import InputError
    from residscope.experiment import Experiment
    from residscope.inputs.interventions import Ablation, Scaling, Steering
    from residscope.inputs.target import Answer, Target
    from residscope.live.shared import Selection
    from residscope.live.worker import Cancelled
    from residscope.models import load_model
    from residscope.models.demo import presets
    from residscope.quantity import Quantity
    from residscope.runs.memory import StaleWeightsError
    from residscope.runs.sources import NoSplitError, head_scores
    from residscope.runs.trace import Trace
    from residscope.views import (
        AttentionPattern,
        Column,
        HeadAttribution,
        HeadGrid,
        HeadReadout,
        LayerAttribution,
        LogitLens,
        Row,
        TokenStrip,
    )
    from residscope.views.base import View
    from residscope.workbench import Workbench

__version__ = "0.1.0"

_HOMES = {
    "Ablation": "inputs.interventions",
    "Answer": "inputs.target",
    "AttentionPattern": "views",
    "Cancelled": "live.worker",
    "Column": "views",
    "Experiment": "experiment",
    "HeadAttribution": "views",
    "HeadGrid": "views",
    "HeadReadout": "views",
    "InputError": "errors",
    "LayerAttribution": "views",
    "LogitLens": "views",
    "NoSplitError": "runs.sources",
    "Quantity": "quantity",
    "Row": "views",
    "Scaling": "inputs.interventions",
    "Selection": "live.shared",
    "StaleWeightsError": "runs.memory",
    "Steering": "inputs.interventions",
    "Target": "inputs.target",
    "TokenStrip": "views",
    "Trace": "runs.trace",
    "View": "views.base",
    "Workbench": "workbench",
    "head_scores": "runs.sources",
    "load_model": "models",
    "presets": "models.demo",
}

__all__ = [
    "Ablation",
    "Answer",
    "AttentionPattern",
    "Cancelled",
    "Column",
    "Experiment",
    "HeadAttribution",
    "HeadGrid",
    "HeadReadout",
    "InputError",
    "LayerAttribution",
    "LogitLens",
    "NoSplitError",
    "Quantity",
    "Row",
    "Scaling",
    "Selection",
    "StaleWeightsError",
    "Steering",
    "Target",
    "TokenStrip",
    "Trace",
    "View",
    "Workbench",
    "head_scores",
    "load_model",
    "presets",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"residscope has no {name!r}; it has {', '.join(__all__)}")
    with _collector_resting():
        value = getattr(importlib.import_module(f"residscope.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Pause the garbage collector during an import, where it takes a fifth of the time.

    torch and TransformerLens make half a million lasting objects, which it would scan again and again.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            if not gc.get_freeze_count():
                # Moves all objects to the oldest generation, which is rarely scanned, but thaws what the user froze.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
