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
        trace: the run with the current interventions; the same object as `baseline` without any.
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
    number: int = 0,
    step: Step = lambda _done, _of: None,
    before: Runs[Trace] | None = None,
) -> Runs[Trace]:
    """Run inputs, first untouched and then with their interventions.

    Args:
        model: the model to run.
        inputs: the inputs.
        target: a target made by hand, or None.
        number: the runs' number in their experiment; 0 for `Experiment.run`.
        step: called before each layer.
        before: the experiment's newest runs; their untouched run is reused if it has the same inputs.
    """
    untouched = replace(inputs, interventions=())
    baseline = None if before is None else _reused(before, model, inputs, target)
    if baseline is None:
        baseline = Trace(model, untouched, target=target, number=number, step=step)
    else:
        baseline = baseline.asked_again(untouched, number)
    trace = baseline.intervened(inputs, number=number, step=step) if inputs.interventions else baseline
    corrupted = None if inputs.corrupted is None else lambda: _corrupted(model, baseline)
    return Runs(number, baseline, trace, corrupted)


def _reused(before: Runs[Trace], model: TransformerBridge, inputs: Inputs, target: Target | None) -> Trace | None:
    """Return the untouched run of these inputs if it is there; inputs without interventions always run again."""
    old, had = before.baseline, before.trace is not before.baseline
    if not (had or inputs.interventions):
        return None
    plain = replace(inputs, interventions=(), warnings=())
    same = replace(old.inputs, interventions=(), warnings=()) == plain
    return old if same and old.hand_made_target == target and old.is_of(model) else None


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
