"""The number being explained, in words: which answer it favours, over one prompt or several."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from residscope.export.words import number, visible
from residscope.given import Given, Run
from residscope.live.wire import text
from residscope.views.templates import WORDS, fill


@dataclass(frozen=True)
class Aim:
    """What is explained in one row.

    Attributes:
        right: the right answer's text, or None where no answers were given.
        wrong: the wrong one's, or None where one answer alone is explained.
        name: what the number is, where there is no answer.
        value: the model's own; NaN of arrays.
        unit: its unit.
    """

    right: str | None
    wrong: str | None
    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class TargetWords:
    """The target of one row, or its mean over several.

    Attributes:
        value: the target; NaN of arrays, which have no model's value beside them.
        unit: its unit.
        right: the right answer, or what stands for it.
        wrong: the wrong one, or None where one answer alone is explained.
        name: "·Mary − ·John", as in title rows.
        answered: whether there are answers.
        several: whether it is of more rows than one.
    """

    value: float
    unit: str
    right: str
    wrong: str | None
    name: str
    answered: bool
    several: bool


def aims_of(trace: Run) -> list[Aim]:
    """Return what is explained in each row of a run; of arrays, what the numbers are."""
    if isinstance(trace, Given):
        return [Aim(None, None, text(trace.name), np.nan, trace.unit)] * trace.n_rows
    target = trace.target
    wrong = [None] * len(trace.lengths) if target.wrong is None else [text(one.text) for one in target.wrong]
    return [
        Aim(text(right.text), other, text(name), value, target.unit)
        for right, other, name, value in zip(
            target.right, wrong, target.names, trace.target_value.float().tolist(), strict=True
        )
    ]


def target_words(aims: Sequence[Aim], row: int | None) -> TargetWords:
    """Describe the target of one row, or its mean over all where there is none."""
    chosen = aims if row is None else aims[row : row + 1]
    first = chosen[0]
    right = _side([aim.right for aim in chosen], "target_right")
    wrong = _side([aim.wrong for aim in chosen], "target_wrong")
    named = first.name if first.right is None else right or ""
    return TargetWords(
        value=float(np.mean([aim.value for aim in chosen])),
        unit=first.unit,
        right=right or first.name,
        wrong=wrong,
        name=fill("target_both", right=right, wrong=wrong) if right and wrong else named,
        answered=first.right is not None,
        several=len(chosen) > 1,
    )


def of_target(target: TargetWords) -> str:
    """Say "of the 10.80 logits by which ·Mary beats ·John", or where it does not "logits to ·Mary − ·John, −2.13"."""
    mean = WORDS["aim_mean"] if target.several else ""
    parts = {"mean": mean, "value": number(target.value), "unit": target.unit}
    if target.wrong is None:
        return fill("aim_alone", name=_alone(target) if target.answered else target.right, **parts)
    order = "behind" if target.value < 0 else "beats"
    return fill(f"aim_{order}", right=target.right, wrong=target.wrong, **parts)


def where_target(target: TargetWords, value: float) -> str:
    """Say "·Mary is ahead of ·John by 10.80 logits", "the logit of ·Mary is 9.50 logits"."""
    if target.wrong is None:
        name = _alone(target) if target.answered else target.name
        return fill("target_is", name=name, value=in_unit(number(value), target.unit))
    order = "target_behind" if value < 0 else "target_ahead"
    return fill(order, right=target.right, wrong=target.wrong, value=number(abs(value)), unit=target.unit)


def in_unit(written: str, unit: str) -> str:
    """Return a written number with its unit, where it has one."""
    return f"{written} {unit}" if unit else written


def _alone(target: TargetWords) -> str:
    kind = WORDS["target_logit" if target.unit == "logits" else "target_log_probability"]
    return fill("target_alone", kind=kind, right=target.right)


def _side(answers: Sequence[str | None], several: str) -> str | None:
    known = [answer for answer in answers if answer is not None]
    if not known or len(known) < len(answers):
        return None
    return visible(known[0]) if len({*known}) == 1 else str(WORDS[several])
