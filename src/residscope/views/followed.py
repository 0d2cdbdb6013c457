"""What a view may follow: an experiment, or arrays that never change."""

from typing import Any

from residscope.experiment import Experiment, source_of
from residscope.fixed import Fixed
from residscope.live.source import Source

Followed = Experiment | Fixed


def checked(kind: type, experiment: Any) -> None:
    """Refuse anything but an experiment.

    Raises:
        TypeError: saying how to make one.
    """
    if not isinstance(experiment, Followed):
        raise TypeError(
            f"{kind.__name__} takes an Experiment, not {type(experiment).__name__}: "
            "rs.Experiment(model, prompts, answers)"
        )


def source_of_either(experiment: Followed) -> Source[Any]:
    """Return the source of its runs."""
    return experiment if isinstance(experiment, Fixed) else source_of(experiment)
