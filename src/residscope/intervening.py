"""The verbs of interventions: they change which are in force, and the runs follow."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from residscope.inputs.interventions import (
    Ablation,
    AblationKind,
    At,
    Intervention,
    Scaling,
    Steering,
    added,
    without,
)
from residscope.inputs.prompts import Prompts
from residscope.models.edits import Positions

Change = Callable[[tuple[Intervention, ...]], Sequence[Intervention]]
"""Returns the interventions that are to be in force, given those that are."""


class Intervening(ABC):
    """Parts of the model switched off, scaled or steered in every later run, and put back."""

    @property
    @abstractmethod
    def interventions(self) -> tuple[Intervention, ...]:
        """Return what is in force, the oldest first, as Python that can be pasted; assign to exchange all of it."""

    @abstractmethod
    def _change_interventions(self, change: Change) -> None:
        """Exchange the interventions in force, and run."""

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
        """Switch parts of the model off, in all runs from now on.

        Args:
            what: a head ("L3H0", "3.0" or (3, 0)), "L3.attn", "L3.mlp", "L3" for both, or a list of these, such as
                `exp.trace.top_heads(5)`.
            kind: "mean" puts the part's mean over the reference prompts in its place, "zero" nothing, "resample" what
                the part is in the corrupted prompt, or, where there is none, in another prompt.
            positions: in each row's own tokens, negative from its end: one list for all rows, or one a row. None is
                all; for a mean all but each row's first.
            reference: the prompts that a mean is taken over; None is the experiment's own.
            first: whether a mean counts and replaces the first position, too.
            seed: decides which other prompt a row takes from.
            dose: 0 switches the part off, 1 leaves it as it is, 2 doubles what sets it apart.

        Raises:
            InputError: for a part that the model does not have, positions that a row does not have, and a kind that
                lacks the prompts it needs; nothing changes then.
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
            InputError: for a part or positions that there are not; nothing changes then.
        """
        new = Scaling(what, factor, positions)
        self._change_interventions(lambda before: added(before, new))

    def steer(
        self, layer: int, vector: Any, factor: float = 1, positions: Positions | None = None, at: At = "post"
    ) -> None:
        """Add a vector to the residual stream, in all runs from now on.

        Args:
            layer: counted from 0.
            vector: `[d_model]`, in the stream's unit; or two lists of prompts, whose means' difference it is, the
                first's less the second's.
            factor: what the vector is multiplied by.
            positions: as for `ablate`.
            at: "pre" the layer's attention, "mid" between attention and MLP, or "post" its MLP.

        Raises:
            InputError: for a stop or positions that there are not, or a vector that does not fit; nothing changes
                then.
        """
        new = Steering(layer, vector, factor, positions, at)
        self._change_interventions(lambda before: added(before, new))

    def reset(self, *which: Intervention | str) -> None:
        """Take interventions away: these, or all.

        Args:
            which: of `interventions`, or names of parts, such as "L3H0". With none, all are taken away.
        """

        def change(before: tuple[Intervention, ...]) -> tuple[Intervention, ...]:
            if not which:
                return ()
            for one in which:
                before = without(before, one) if isinstance(one, str) else tuple(x for x in before if x != one)
            return before

        self._change_interventions(change)

    @contextmanager
    def ablated(self, what: Any, kind: AblationKind = "mean", **options: Any) -> Iterator[Self]:
        """Switch parts off within a `with` statement; on leaving it takes away its own intervention alone.

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


def asked_for(
    ablate: Any, scale: Any, steer: Any, kind: AblationKind, reference: Prompts | None
) -> list[Intervention] | None:
    """Return the interventions that a pure question names; None where it names none.

    Args:
        ablate: parts to switch off.
        scale: `(what, factor)`, or `{what: factor}`.
        steer: `(layer, vector)`, `(layer, vector, factor)`, or a `Steering`.
        kind: of the ablation.
        reference: of the ablation.
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
