"""The views say what the browser says: the cases are tests/js/views_words.test.ts's too."""

import json
from pathlib import Path

import numpy as np
import pytest

from residscope.export.words import visible
from residscope.views.sentences import card_sentence, lens_sentence, looks_sentence, maps_sentence
from residscope.views.target_words import Aim, target_words

CASES = json.loads((Path(__file__).parents[1] / "said_views.json").read_text(encoding="utf-8"))


def of(kind):
    """Parametrize a test by the cases of one view."""
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["about"])


def number(value):
    return np.nan if value is None else value


def aim(case):
    row = case["aim"]
    one = Aim(row.get("right"), row.get("wrong"), row["name"], number(row["value"]), row["unit"])
    return target_words([one], 0)


def place(named):
    token, position = named
    return visible(token), position


def head(case):
    layer, at = case["head"]
    return f"L{layer}H{at}"


@of("lens")
def test_the_lens_is_said_as_in_the_browser(case):
    top = case["top"] and (visible(case["top"][0]), case["top"][1])
    after, read = place(case["after"]), place(case["read"])
    assert lens_sentence(case["depth"], after, top, aim(case), number(case["value"]), read) == case["says"]


@of("looks")
def test_where_a_head_looks_is_said_as_in_the_browser(case):
    tokens, weights = [visible(token) for token in case["tokens"]], np.array(case["weights"], np.float32)
    asked = case["query"], weights, case["key"], case["colour"], case["unit"]
    assert looks_sentence(head(case), tokens, *asked) == case["says"]


@of("card")
def test_a_heads_card_is_said_as_in_the_browser(case):
    seen, weight = case["looks"]
    writes = case["writes"] and tuple(map(visible, case["writes"]))
    parts = place(case["at"]), (place(seen), weight), writes, case["effect"], aim(case)
    assert card_sentence(head(case), *parts, there=case["there"]) == case["says"]


@of("maps")
def test_the_small_maps_are_said_as_in_the_browser(case):
    heads, resting = [tuple(one) for one in case["heads"]], [number(one) for one in case["resting"]]
    assert maps_sentence(heads, case["first"], case["sort"], case["unit"], resting) == case["says"]
