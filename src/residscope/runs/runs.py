"""The runs that belong together: untouched, with interventions, and of the corrupted prompts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

from residscope.inputs.reader import Inputs
from residscope.inputs.target import Target
from residscope.models import TransformerBridge
from residscope.models.activations import Step
from residscope.runs.memory import StaleWeightsError
from residscope.runs.trace import Trace

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Runs(Generic[R]):
    """What views receive: runs made together, published together, and never changed.

    Attributes:
        number: the number of the run in its experiment.
        baseline: the untouched run.
        trace: the run with the interventions in force; the same object when there are none.
    """

    number: int
    baseline: R
    trace: R
    _run_corrupted: Callable[[], R] | None = None

    @cached_property
    def corrupted(self) -> R | None:
        """Return the untouched run of the corrupted prompts, or None without any.

        It runs on first access, since no view shows it.

        Raises:
            StaleWeightsError: when the weights have changed since the other runs.
        """
        return self._run_corrupted() if self._run_corrupted else None


def run_all(
    model: TransformerBridge,
    inputs: Inputs,
    *,
    target: Target | None,
    number: int,
    step: Step,
) -> Runs[Trace]:
    """Run what is asked."""
    trace = Trace(model, inputs, target=target, number=number, step=step)
    return Runs(number, trace, trace, None if inputs.corrupted is None else lambda: _corrupted(model, trace))


def _corrupted(model: TransformerBridge, baseline: Trace) -> Trace:
    """Run the corrupted prompts; the target stays what the untouched run says it is."""
    asked = baseline.inputs
    assert asked.corrupted is not None
    assert asked.corrupted_tokens is not None
    inputs = replace(
        asked,
        prompts=asked.corrupted,
        tokens=asked.corrupted_tokens,
        template=((),) * len(asked.corrupted),
        corrupted=None,
        corrupted_tokens=None,
        cached=None,
        warnings=(),
    )
    run = Trace(model, inputs, target=baseline.target, number=baseline.number)
    if run.weights != baseline.weights:
        raise StaleWeightsError
    return run
