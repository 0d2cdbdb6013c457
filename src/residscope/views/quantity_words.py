"""Quantities in words, as the browser has them: the title, the two ends, the sentence, what they are of."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from residscope.export.colours import POSITIVE
from residscope.export.words import measured, number
from residscope.quantity import Numbers, Quantity, SumCheck
from residscope.views.component_words import subject_of, together_of
from residscope.views.target_words import TargetWords, in_unit, of_target
from residscope.views.templates import WORDS, fill

Show = Literal["now", "before", "change"]
HEADS = ("layer", "head")


@dataclass(frozen=True)
class Said:
    """A quantity as it is spoken of.

    Attributes:
        of: the quantity.
        one: what is shown of it, one row or the mean, as it is, as it was or the change.
        show: which of these.
        row: the row that is shown, None for the mean or for what is of all rows alike.
        name: names a cell by its place among the values.
        target: what is explained, or None of arrays.
    """

    of: Quantity
    one: Quantity
    show: Show
    row: int | None
    name: Callable[[int], str]
    target: TargetWords | None

    @cached_property
    def values(self) -> Numbers:
        """Return the numbers that are shown, cell by cell."""
        return self.one.values.reshape(-1)

    @cached_property
    def ranked(self) -> list[int]:
        """Return the cells from the largest number to the smallest, those without one left out."""
        order = np.argsort(-self.values, kind="stable")
        return [int(cell) for cell in order[: int((~np.isnan(self.values)).sum())]]

    @cached_property
    def largest(self) -> int:
        """Return the cell with the largest number of either sign."""
        sizes = np.abs(self.values[self.ranked])
        return self.ranked[int(sizes.argmax())]

    @property
    def is_of_target(self) -> bool:
        """Tell whether the numbers are parts of the target, which a check of their sum says."""
        return bool(self.of.checks) and self.of.scale == "signed" and self.target is not None

    @property
    def is_parts(self) -> bool:
        """Tell whether the cells are a model's parts."""
        return self.one.dims == ("component",)


def what_words(said: Said) -> str:
    """Say "direct effect on ·Mary − ·John · logits", "induction score on this prompt · 0 to 1"."""
    of = said.of
    what, name = of.measured_on, of.name
    if said.is_of_target and said.target:
        what, name = said.target.name, fill("title_parts", name=name) if said.is_parts else name
    named = fill("title_on", name=name, what=what) if what else name
    unit = of.unit
    if said.one.scale == "sequential" and of.high is not None:
        whole = re.match(r"of|$", unit)
        unit = fill("title_range" if whole else "title_range_unit", high=f"{of.high:g}", unit=unit)
    return measured(measured(named, unit), "" if said.show == "now" else said.show)


def end_words(said: Said) -> tuple[str, str]:
    """Return what the two ends are called above the lists of the strongest."""
    if said.show == "change":
        return WORDS["end_up"], WORDS["end_down"]
    if not said.is_of_target or said.target is None:
        return WORDS["end_highest"], WORDS["end_lowest"]
    right, wrong = said.target.right, said.target.wrong
    low = fill("end_away", answer=right) if wrong is None else fill("end_towards", answer=wrong)
    return fill("end_towards", answer=right), low


def sentence(said: Said, at: int | None) -> str:
    """Return the sentence about a quantity, and about the cell that is selected where one with a number is."""
    if not said.ranked:
        return said.of.blank or str(WORDS["no_number"])
    chosen = None if at is None or np.isnan(said.values[at]) else at
    if said.show == "change":
        return _changed(said, chosen)
    if said.is_of_target and said.show == "now":
        return _parts(said, chosen)
    plain = (_plainly if said.one.scale == "signed" else _scored)(said, chosen)
    return fill("untouched", said=plain) if said.show == "before" else plain


def mean_words(values: Numbers, row: int | None) -> str:
    """Say over how many prompts a mean goes, of numbers [row ...]; nothing where it is of one row."""
    if row is not None:
        return ""
    counted = int((~np.isnan(values.reshape(len(values), -1))).any(1).sum())
    return fill("mean" if counted == len(values) else "mean_some", some=counted, all=len(values))


def sum_words(checks: Sequence[SumCheck], row: int | None) -> str:
    """Return the sum check of one row, or the worst of all, in words; nothing where there is none."""
    if not checks:
        return ""
    shown = checks if row is None else [checks[row]]
    worst = max(shown, key=lambda check: (not check.ok, abs(check.difference)))
    said = fill("sum_holds" if worst.ok else "sum_fails", sum=number(worst.sum), target=number(worst.target))
    return f"{fill('sum_worst', sum=said) if len(shown) > 1 else said} {'✓' if worst.ok else '!'}"


def _parts(said: Said, at: int | None) -> str:
    target, values = said.target, said.values
    assert target is not None
    aim = of_target(target)
    colours = fill("colours", colour=POSITIVE, right=target.right)
    if said.is_parts:
        most = _strongest(values)
        own = most if at is None else at
        return fill(
            "adds",
            cell=subject_of(said.name(own)),
            value=_signed(values[own]),
            most=fill("rest_most", most=WORDS["most"]) if own == most else "",
            together=together_of(said.one.names("component"), values.tolist()),
            aim=aim,
            colours=colours,
        )
    kind = WORDS["kind_heads" if "head" in said.one.dims else "kind_parts"]
    total = _signed(float(np.nansum(values, dtype=np.float64)))
    if at is not None:
        together = fill(f"together_all{'_mean' if target.several else ''}", kind=kind, sum=total)
        cell, value = said.name(at), _signed(values[at])
        return fill("adds", cell=cell, value=value, aim=aim, most="", together=together, colours=colours)
    first = said.ranked[0]
    most_from = fill("most_from", cell=said.name(first), value=_signed(values[first])) if values[first] > 0 else ""
    return fill("all_add", kind=kind, sum=total, aim=aim, most=most_from, colours=colours)


def _plainly(said: Said, at: int | None) -> str:
    values, unit = said.values, said.of.unit
    best = _strongest(values) if said.is_parts else said.largest
    own = best if at is None and said.is_parts else at
    most = WORDS["most" if said.is_parts else "largest"]
    whose = _whose(said.name(best), in_unit(_signed(values[best]), unit))
    if own is None:
        return fill("most_is", most=most, whose=whose)
    rest = _rest(most, whose, is_best=own == best)
    return fill("is", cell=said.name(own), value=in_unit(_signed(values[own]), unit), rest=rest)


def _scored(said: Said, at: int | None) -> str:
    name, unit, values = said.of.name, said.of.unit, said.values
    on = fill("on", what=said.of.measured_on) if said.of.measured_on else ""
    named = fill("an" if name[:1].lower() in {*"aeiou"} else "a", name=name)
    best = said.ranked[0] if values[said.ranked[0]] > 0 else None
    if at is None and best is None:
        return fill("no_head_above" if said.one.dims == HEADS else "nothing_above", named=named, on=on)
    highest = "" if best is None else number(float(values[best]))
    if at is None and best is not None:
        return fill("highest_is", name=name, on=on, whose=_whose(said.name(best), in_unit(highest, unit)))
    assert at is not None
    rest = "" if best is None else _rest(WORDS["highest"], _whose(said.name(best), highest), is_best=at == best)
    value = number(float(values[at]))
    return fill("has", cell=said.name(at), named=named, value=value, unit=unit and f" {unit}", on=on, rest=rest)


def _changed(said: Said, at: int | None) -> str:
    values, unit, most = said.values, said.of.unit, WORDS["change"]
    whose = _whose(said.name(said.largest), in_unit(_signed(values[said.largest]), unit))
    if at is None:
        return fill("most_is", most=most, whose=whose)
    both = said.of.over_rows(said.row)
    assert both.reference is not None
    before, now = (
        number(float(one.reshape(-1)[at]), sign=said.of.scale == "signed") for one in (both.reference, both.values)
    )
    rest = _rest(most, whose, is_best=at == said.largest)
    value = in_unit(_signed(values[at]), unit)
    return fill("changed", cell=said.name(at), value=value, before=before, now=now, rest=rest)


def _rest(most: str, whose: str, *, is_best: bool) -> str:
    return fill("rest_most" if is_best else "rest_is", most=most, whose=whose)


def _whose(cell: str, value: str) -> str:
    return fill("where" if re.search("[ ,]", cell) else "whose", cell=cell, value=value)


def _signed(value: float | np.float32) -> str:
    return number(float(value), sign=True)


def _strongest(values: Numbers) -> int:
    """Return the part that pushes most towards the right answer, or where none does, most away from it."""
    known = np.nan_to_num(values)
    return int(known.argmax() if known.max() > 0 else known.argmin())
