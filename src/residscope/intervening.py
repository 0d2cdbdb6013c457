"""The methods that change an experiment's interventions; its runs follow."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

from torch import Tensor

from residscope.inputs.interventions import (
    Ablation,
    AblationKind,
    At,
    Intervention,
    Scaling,
    Steering,
    added,
    part_names,
    without,
)
from residscope.inputs.prompts import Prompts
from residscope.models.edits import Positions
from residscope.runs.causal import causal_effects
from residscope.runs.trace import Trace

GESTURES = ("switch", "ablate", "reset")
"""The gestures that a view can ask for."""

Change = Callable[[tuple[Intervention, ...]], Sequence[Intervention]]
"""Returns the new interventions, given the current ones."""


class Intervening(ABC):
    """Ablates, scales and steers parts of the model in every later run, and undoes that."""

    @property
    @abstractmethod
    def interventions(self) -> tuple[Intervention, ...]:
        """Return the current interventions, oldest first, shown as Python code; assign to replace them all."""

    @property
    @abstractmethod
    def trace(self) -> Trace:
        """Return the run of the newest inputs; waits for it, and raises its error if it fails."""

    @abstractmethod
    def _change_interventions(self, change: Change) -> None:
        """Change the current interventions, and run."""

    def ablate(
        self,
        what: Any,
        kind: AblationKind = "mean",
        *,
        positions: Positions | None = None,
        reference: Prompts | None = None,
        first: bool = False,
        seed: int = 0,
        dose: float = 0,
    ) -> None:
        """Ablate parts of the model, in all runs from now on.

        Args:
            what: a head ("L3H0", "3.0" or (3, 0)), "L3.attn", "L3.mlp", "L3" for both, or a list of these, such as
                `exp.trace.top_heads(5)`.
            kind: what replaces the part: "mean" its mean over the reference prompts, "zero" zeros, "resample" its value
                in the corrupted prompt or, without one, in another prompt.
            positions: counted in each row's own tokens, negative from its end: one list for all rows, or one per row.
                None is all positions, or for a mean all except each row's first.
            reference: the prompts to take a mean over; None is the experiment's own.
            first: whether a mean also includes and replaces the first position.
            seed: decides which other prompt a row is resampled from.
            dose: 0 ablates the part, 1 leaves it unchanged, 2 is twice as far from the ablation.

        Raises:
            InputError: for a part that the model does not have, positions that a row does not have, or a kind without
                the prompts it needs; then nothing changes.
        """
        options: dict[str, Any] = {"positions": positions, "reference": reference, "first": first}
        new = Ablation(what, kind, **options, seed=seed, dose=dose)
        self._change_interventions(lambda before: added(before, new))

    def scale(self, what: Any, factor: float, *, positions: Positions | None = None) -> None:
        """Multiply parts of the model by a number, in all runs from now on.

        Args:
            what: the parts, as for `ablate`.
            factor: 1 changes nothing, 0 is zero ablation.
            positions: as for `ablate`.

        Raises:
            InputError: for a part or positions that do not exist; then nothing changes.
        """
        new = Scaling(what, factor, positions)
        self._change_interventions(lambda before: added(before, new))

    def steer(
        self, layer: int, vector: Any, factor: float = 1, positions: Positions | None = None, at: At = "post"
    ) -> None:
        """Add a vector to the residual stream, in all runs from now on.

        Args:
            layer: counted from 0.
            vector: `[d_model]`, in the stream's unit; or two lists of prompts, for the difference of their means, first
                minus second.
            factor: what to multiply the vector by.
            positions: as for `ablate`.
            at: "pre" (before the layer's attention), "mid" (between attention and MLP) or "post" (after its MLP).

        Raises:
            InputError: for a place or positions that do not exist, or a vector that does not fit; then nothing changes.
        """
        new = Steering(layer, vector, factor, positions, at)
        self._change_interventions(lambda before: added(before, new))

    def reset(self, *which: Intervention | str) -> None:
        """Remove interventions: these, or all.

        Args:
            which: members of `interventions`, or names of parts, such as "L3H0". Without any, all are removed.
        """

        def change(before: tuple[Intervention, ...]) -> tuple[Intervention, ...]:
            if not which:
                return ()
            for one in which:
                before = without(before, one) if isinstance(one, str) else tuple(x for x in before if x != one)
            return before

        self._change_interventions(change)

    def causal_effects(self, kind: AblationKind = "mean") -> Tensor:
        """Return what ablating each head costs the target: `[row layer head]`, in the target's unit.

        Positive if the head helped; on top of the current interventions. NaN for layers without heads.

        Args:
            kind: what replaces a head: "mean", "zero" or "resample", as for `ablate`.

        Raises:
            InputError: for an unknown kind, or one without the prompts it needs.
        """
        *_, effects = causal_effects(self.trace, kind)
        return effects

    @contextmanager
    def ablated(self, what: Any, kind: AblationKind = "mean", **options: Any) -> Iterator[Self]:
        """Ablate parts within a `with` statement; leaving it removes only this intervention.

        Args:
            what: as for `ablate`.
            kind: as for `ablate`.
            options: as for `ablate`.
        """
        new = Ablation(what, kind, **options)
        self._change_interventions(lambda before: (*before, new))
        try:
            yield self
        finally:
            self._change_interventions(lambda before: tuple(one for one in before if one is not new))


def asked_by_browser(before: tuple[Intervention, ...], asked: Any) -> Sequence[Intervention]:
    """Return the interventions after a gesture in a view.

    Args:
        before: those in force.
        asked: what to `do` with which `parts`: "switch" them off by the kind used last, or on again when all are off;
            "ablate" them by a `kind` and at a `dose`; "reset" what is done to them, or to all where none are named.

    Raises:
        InputError: for a gesture that is not possible.
    """
    names = part_names(asked.get("parts")) if asked.get("parts") or asked["do"] != "reset" else ()
    rest = before
    for name in names:
        rest = without(rest, name)
    if asked["do"] == "reset":
        return rest if names else ()
    ablations = [one for one in before if isinstance(one, Ablation)]
    off = {name for one in ablations for name in one.what}
    if asked["do"] == "switch" and off.issuperset(names):
        return rest
    last = ablations[-1] if ablations else Ablation(names)
    kept = replace(last, what=names, dose=0.0)
    if asked["do"] == "ablate":
        kept = replace(kept, kind=asked.get("kind") or last.kind, dose=asked.get("dose") or 0.0)
    return added(rest, kept if kept.kind == "mean" else replace(kept, reference=None))


def asked_for(
    ablate: Any, scale: Any, steer: Any, kind: AblationKind, reference: Prompts | None
) -> list[Intervention] | None:
    """Return the interventions that the arguments of `Experiment.run` name; None if they name none.

    Args:
        ablate: parts to ablate.
        scale: `(what, factor)`, or `{what: factor}`.
        steer: `(layer, vector)`, `(layer, vector, factor)`, or a `Steering`.
        kind: the ablation's kind.
        reference: the ablation's reference.
    """
    if ablate is None and scale is None and steer is None:
        return None
    found: list[Intervention] = [] if ablate is None else [Ablation(ablate, kind, reference=reference)]
    if scale is not None:
        pairs = scale.items() if isinstance(scale, Mapping) else [scale]
        found += [Scaling(what, factor) for what, factor in pairs]
    if steer is not None:
        found.append(steer if isinstance(steer, Steering) else Steering(*steer))
    return found
