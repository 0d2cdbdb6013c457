"""Fixed pictures: true numbers, text that stays text, and the colours of the views."""

import json
import math
import re
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from residscope.export.colours import LEVELS, STOPS, colour, level
from residscope.export.figure import Bars, Chips, Curve, Figure, Group, Map, Table
from residscope.export.maps import pooled
from residscope.export.mime import still_bundle
from residscope.export.svg import png, svg
from residscope.export.words import number, probability, share, visible

ROOT = Path(__file__).parents[2]
HOSTILE = "</text><script>alert(1)</script>&\"'<img src=x onerror=alert(1)>"
WRITE = {
    "number": number,
    "signed": partial(number, sign=True),
    "probability": probability,
    "share": share,
    "visible": visible,
}
"""What the file of cases is held against; tests/js/number.test.ts does the same for the live views."""
NS = "{http://www.w3.org/2000/svg}"


def grid(values, **changes):
    values = np.array(values, dtype=float)
    rows, cols = values.shape
    shown = {"rows": [f"r{n}" for n in range(rows)], "cols": [f"c{n}" for n in range(cols)], "scale": "signed"}
    return Map(values, **{**shown, "high": 2.0, "name": "effect", "unit": "logits", **changes})


def figure(*blocks, sentence="A sentence."):
    return Figure("Heads", "direct effect", "run 3", sentence, blocks)


def texts(picture):
    return [element.text for element in ElementTree.fromstring(picture).iter(f"{NS}text")]


def painted(picture):
    """Return how many cells stand in each colour."""
    paths = ElementTree.fromstring(picture).iter(f"{NS}path")
    return {path.get("fill"): path.get("d").count("M") for path in paths}


def test_each_cell_is_painted_in_the_colour_of_its_number():
    values = [[2.0, -2.0, 0.0], [2.0, np.nan, 1.0]]
    picture = svg([figure(grid(values))])
    expected = {}
    for value in (2.0, -2.0, 0.0, 2.0, 1.0):
        ink = colour("signed", level("signed", value, 2.0))
        expected[ink] = expected.get(ink, 0) + 1
    assert painted(picture) == expected
    assert colour("signed", LEVELS - 1) == "#2166ac", "blue is positive"
    assert colour("signed", 0) == "#b2182b"
    assert {"r0", "r1", "c0", "c2", "+2.00", "−2.00", "0"} <= set(texts(picture))


def test_the_colours_are_read_from_the_file_that_the_browsers_read():
    source = (ROOT / "js/lib/palette.ts").read_text()
    assert 'from "../../src/residscope/data/palette.json"' in source
    assert not re.search(r'"[0-9a-f]{6}', source)
    assert (STOPS["signed"][0], STOPS["signed"][-1]) == ("b2182b", "2166ac"), "red is negative, blue positive"


@pytest.mark.parametrize(
    "block",
    [
        grid([[1.0]], rows=[HOSTILE], cols=[HOSTILE], tokens=True),
        grid([[1.0]], texts=[[HOSTILE]]),
        Bars([HOSTILE], np.array([1.0]), HOSTILE, HOSTILE, np.array([[0.5]])),
        Curve([HOSTILE, HOSTILE], np.array([1.0, 2.0]), HOSTILE, HOSTILE),
        Chips([HOSTILE, "a\n", "b"], 0, 1, np.array([1.0, -1.0, 0.0]), 1.0, HOSTILE, HOSTILE),
        Table(HOSTILE, [(HOSTILE, HOSTILE)]),
        Group([(HOSTILE, grid([[1.0, 2.0]]))]),
    ],
    ids=lambda block: type(block).__name__,
)
def test_text_stays_text_and_the_picture_is_well_formed(block):
    made = Figure(HOSTILE, HOSTILE, HOSTILE, HOSTILE, [block])
    picture = svg([made])
    elements = {element.tag.removeprefix(NS) for element in ElementTree.fromstring(picture).iter()}
    assert elements <= {"svg", "title", "rect", "g", "text", "path", "polyline", "circle"}
    assert png(picture).startswith(b"\x89PNG")
    bundle = still_bundle([made])
    image = re.search(r"</style>(.*)</div>$", bundle["text/html"], re.S)[1]
    assert re.fullmatch(r'<img alt="[^<>"]*" src="data:image/svg\+xml;base64,[\w+/=]+" style="[^"]*">', image)


def test_the_selected_row_of_a_triangle_is_ringed_as_far_as_it_goes():
    values = np.tril(np.ones((4, 4)))
    values[np.triu_indices(4, 1)] = np.nan
    picture = svg([figure(grid(values, ringed=(1, None)))])
    rings = [e for e in ElementTree.fromstring(picture).iter(f"{NS}rect") if e.get("stroke") == "#1f6feb"]
    (ring,) = rings
    assert float(ring.get("width")) / float(ring.get("height")) == pytest.approx(2, abs=0.1)


def test_a_large_map_is_pooled_to_the_largest_of_either_sign():
    values = np.zeros((300, 300))
    values[299, 299], values[3, 3] = -5.0, 4.0
    small = pooled(values, 96)
    assert small.shape == (96, 96)
    assert (small[95, 95], small[1, 1]) == (-5.0, 4.0)
    assert np.count_nonzero(small) == 2
    blank = np.full((300, 300), np.nan)
    assert np.isnan(pooled(blank)).all()


def test_figures_stand_one_below_the_other_and_are_told_in_the_title():
    picture = svg([figure(sentence="One."), figure(sentence="Two.")])
    root = ElementTree.fromstring(picture)
    assert root.find(f"{NS}title").text == "One.\nTwo."
    assert texts(picture).count("Heads") == 2
    assert int(root.get("height")) > int(ElementTree.fromstring(svg([figure()])).get("height"))


@pytest.mark.parametrize("kind", WRITE)
def test_numbers_and_tokens_are_written_as_in_the_views(kind):
    for value, written in json.loads((ROOT / "tests/written.json").read_text(encoding="utf-8"))[kind]:
        assert WRITE[kind](math.nan if value is None else value) == written
