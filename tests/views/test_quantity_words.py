"""Quantities are put in the words that the browser has: the cases are tests/js/quantity_words.test.ts's too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from residscope.given import given
from residscope.live.shared import Selection
from residscope.quantity import Quantity, SumCheck
from residscope.views.pictures import said_of
from residscope.views.quantity_words import end_words, sentence, what_words
from residscope.views.target_words import Aim, target_words

CASES = json.loads((Path(__file__).parents[1] / "said.json").read_text(encoding="utf-8"))
KEPT = ("name", "unit", "scale", "high", "measured_on", "blank", "coords")


def numbers(values: list[Any], shape: list[int]) -> Any:
    return np.array([np.nan if value is None else value for value in values], np.float32).reshape(shape)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_a_quantity_is_said_as_in_the_browser(case):
    shape, rows = case["shape"], case.get("rows", [])
    before = case.get("before")
    quantity = Quantity(
        values=numbers(case["values"], shape),
        dims=case["dims"],
        reference=None if before is None else numbers(before, shape),
        checks=[SumCheck(1, 1, True)] * bool(case.get("checks")),
        **{key: case[key] for key in KEPT if key in case},
    )
    target = None
    if rows:
        aims = [Aim(row.get("right"), row.get("wrong"), row["name"], row["value"], row["unit"]) for row in rows]
        target = target_words(aims, None if len(rows) > 1 else 0)
    run = given([quantity], [case["tokens"]] if "tokens" in case else [])
    said = said_of(quantity, run, Selection(show=case.get("show", "now")), target)
    at = None if case["at"] is None else int(np.ravel_multi_index(case["at"], shape))
    assert sentence(said, at) == case["says"]
    assert what_words(said) == case["what"]
    assert list(end_words(said)) == case["ends"]
