"""Linked, live views of a transformer's insides for Jupyter.

The names below load on first use, so that `import residscope` costs neither torch nor transformer_lens.
"""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residscope.experiment import Experiment
    from residscope.memory import StaleWeightsError
    from residscope.models import load_model
    from residscope.models.demo import presets
    from residscope.selection import Selection
    from residscope.sources import NoSplitError, head_scores
    from residscope.target import Answer, Target
    from residscope.trace import Trace
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
    from residscope.vocabulary import InputError
    from residscope.workbench import Workbench
    from residscope.worker import Cancelled

__version__ = "0.1.0"

_HOMES = {
    "Answer": "target",
    "AttentionPattern": "views",
    "Cancelled": "worker",
    "Column": "views",
    "Experiment": "experiment",
    "HeadAttribution": "views",
    "HeadGrid": "views",
    "HeadReadout": "views",
    "InputError": "vocabulary",
    "LayerAttribution": "views",
    "LogitLens": "views",
    "NoSplitError": "sources",
    "Row": "views",
    "Selection": "selection",
    "StaleWeightsError": "memory",
    "Target": "target",
    "TokenStrip": "views",
    "Trace": "trace",
    "Workbench": "workbench",
    "head_scores": "sources",
    "load_model": "models",
    "presets": "models.demo",
}

__all__ = [
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
    "Row",
    "Selection",
    "StaleWeightsError",
    "Target",
    "TokenStrip",
    "Trace",
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
    """Keep the garbage collector from an import, where it takes a fifth of the time.

    torch and TransformerLens make half a million objects that stay, and it would look through them again and again.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            if not gc.get_freeze_count():
                # Makes all objects old ones, which are looked at seldom; what somebody has frozen would thaw.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
