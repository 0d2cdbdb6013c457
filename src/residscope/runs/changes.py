"""What interventions change: each part's direct effect now minus before, at the untouched run's scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.analysis.check import Check, sum_check
from residscope.runs.decomposition import Decomposition

FINAL_NORM = "final_norm"


@dataclass(frozen=True)
class Changes:
    """What interventions change in the direct effects, in the target's unit.

    Attributes:
        labels: the parts' names, as in `ComponentAttribution`, and last `final_norm`.
        values: each part's effect now minus before, both along the untouched run's direction and at its final norm's
            scale. `final_norm` is what the changed scale, and for a log-probability the changed direction, does to all
            parts together. They sum to the change of the target.
        heads: the same for each head; those of a layer sum to its `attn`.
        checks: the sum of the changes against the change of the target, one per group.
    """

    labels: list[str]
    values: Float[Tensor, "group component"]
    heads: Float[Tensor, "group layer head"]
    checks: list[Check]


def changes_between(
    before: Decomposition,
    now: Decomposition,
    at_untouched_scale: Decomposition,
    target_change: Float[Tensor, "group"],
    dtype: torch.dtype,
) -> Changes:
    """Compare two runs part by part.

    Args:
        before: the untouched run.
        now: the run with interventions.
        at_untouched_scale: the same, along the untouched run's direction and at its scale.
        target_change: of the model's own target.
        dtype: the model's.
    """
    labels = _merged(now.labels, before.labels)
    own, fixed, old = (by_label(one.labels, one.values, labels) for one in (now, at_untouched_scale, before))
    of_logits = torch.tensor([label in ("entropy", "soft_cap") for label in labels], device=own.device)
    # What is computed from the logits has no direction.
    reached = torch.where(of_logits, own, fixed)
    values = torch.cat([reached - old, (own - reached).sum(-1, keepdim=True)], -1)
    sizes = (own.abs() + fixed.abs() + old.abs()).sum(-1) + now.cancelled + before.cancelled
    checks = sum_check(values, target_change, sizes, dtype)
    return Changes([*labels, FINAL_NORM], values, at_untouched_scale.heads - before.heads, checks)


def _merged(now: Sequence[str], before: Sequence[str]) -> list[str]:
    """Return all names in their order; only what edits add has rows that one of the two runs lacks."""
    missing = [name for name in before if name not in now]
    return [*now, *missing]


def by_label(
    known: Sequence[str], values: Float[Tensor, "group component"], labels: Sequence[str]
) -> Float[Tensor, "group wanted"]:
    """Return the columns of these labels, of values whose labels are known: 0 for what only an edit adds."""
    columns = dict(zip(known, values.unbind(-1), strict=True))
    nothing = torch.zeros_like(values[:, 0])
    return torch.stack([columns.get(label, nothing) for label in labels], -1)
