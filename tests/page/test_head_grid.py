"""Small maps of heads, in a browser."""

import numpy as np
import pytest

from .conftest import answer, make_run, payload, saved, screenshot, selection, set_state, status, view

LENGTH = 15
TRIANGLE = LENGTH * (LENGTH + 1) // 2


def patterns(layers=4, heads=8, seed=0):
    scores = np.random.default_rng(seed).normal(0, 2, (layers, heads, LENGTH, LENGTH))
    scores[:, :, *np.triu_indices(LENGTH, 1)] = -np.inf
    weights = np.exp(scores)
    weights /= weights.sum(-1, keepdims=True)
    query, key = np.tril_indices(LENGTH)
    return np.ascontiguousarray(weights[:, :, query, key], np.float16)


VALUES = np.arange(32, dtype=np.float32).reshape(1, 4, 8) - 16


def data(run=7, sort="head", unit="", ahead=True, values=None):
    arrays = {"row.0": patterns()} if ahead else {}
    arrays |= {} if values is None else {"values": values}
    return payload(arrays, run=run, ahead=ahead, causal=True, sort=sort, unit=unit)


def models(_data=None, chosen=None, run=None, shown="selected layer", sort="head", **state):
    grid = view("head_grid", "grid", _data=_data or data(), shown=shown, sort=sort, **state)
    return [grid, selection(**(chosen or {})), status(run or make_run())]


def names(page):
    return [text.split()[0] for text in page.locator(".rs-small-map").all_inner_texts()]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_the_heads_of_the_selected_heads_layer(open_views, theme):
    page = open_views(models(chosen={"head": [1, 3], "pinned": ["L1H5"]}), dark=theme == "dark", width=900, ratio=2)
    assert names(page) == [f"L1H{head}" for head in range(8)]
    assert page.locator(".rs-small-map.rs-chosen").inner_text().startswith("L1H3")
    text = page.locator(".rs-say").inner_text()
    assert text.startswith("Attention of the 8 heads of layer 1. L1H")
    screenshot(page, f"head_grid-{theme}")
    set_state(page, "selection", head=[2, 0])
    page.locator(".rs-say", has_text="layer 2").wait_for()
    assert names(page)[0] == "L2H0"


def test_it_says_whether_tokens_look_at_later_ones(open_views):
    page = open_views(models())
    assert "attention of each token (row) to each earlier one" in page.locator(".rs-title").inner_text()
    square = payload({"row.0": np.ones((4, 8, 225), np.float16)}, run=7, ahead=True, causal=False, sort="head", unit="")
    page = open_views(models(square))
    assert "to each other one" in page.locator(".rs-title").inner_text()


def test_a_head_that_is_selected_and_pinned_has_both_marks(open_views):
    page = open_views(models(chosen={"head": [1, 3], "pinned": ["L1H3"]}))
    style = page.locator(".rs-chosen").evaluate(
        "(one) => [getComputedStyle(one).borderStyle, getComputedStyle(one, '::after').borderStyle]"
    )
    assert style == ["solid", "dashed"]


def test_it_paints_each_heads_own_weights(open_views):
    page = open_views(models(chosen={"head": [1, 3]}))
    weights = patterns()[1].astype(float)
    light = page.evaluate(
        """(n) => [...document.querySelectorAll(".rs-small-map canvas")].map((canvas) => {
          const cell = Math.floor(96 / n);
          const context = canvas.getContext("2d");
          const at = (query, key) => context.getImageData(4 + (key + 0.5) * cell, 4 + (query + 0.5) * cell, 1, 1).data;
          const sums = [];
          for (let query = 0; query < n; query++)
            for (let key = 0; key <= query; key++) sums.push(at(query, key).slice(0, 3).reduce((a, b) => a + b));
          return sums;
        })""",
        LENGTH,
    )
    for head in range(8):
        darkest_first = weights[head][np.argsort(light[head], kind="stable")]
        assert (np.diff(darkest_first) <= 0.02).all()


def test_a_click_selects_and_shift_click_pins(open_views):
    page = open_views(models(chosen={"head": [1, 3]}))
    page.locator(".rs-small-map").nth(6).click()
    page.locator(".rs-small-map").nth(2).click(modifiers=["Shift"])
    assert saved(page, "selection") == [{"head": [1, 6]}, {"pinned": ["L1H2"]}]


def test_it_is_one_tab_stop_with_arrow_keys(open_views):
    page = open_views(models(chosen={"head": [1, 3]}), width=900)
    grid = page.get_by_role("listbox")
    grid.focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    for key in ("End", "p", "Escape"):
        page.keyboard.press(key)
    assert saved(page, "selection") == [{"head": [1, 4]}, {"pinned": ["L1H7"]}]
    assert grid.evaluate("(list) => list.matches(':focus')"), "Escape clears the cursor and keeps the keyboard"
    assert grid.get_attribute("aria-activedescendant") is None


def test_sorted_the_largest_stands_first_and_its_number_is_said(open_views):
    page = open_views(models(data(sort="direct effect", unit="logits", values=VALUES), {"head": [3, 0]}))
    assert names(page) == [f"L3H{head}" for head in range(7, -1, -1)]
    assert "By direct effect L3H7 comes first, with +15.00 logits." in page.locator(".rs-say").inner_text()
    assert page.locator(".rs-small-map").first.inner_text().split() == ["L3H7", "+15.00"]


def test_the_pinned_heads_stand_in_the_order_of_their_pins(open_views):
    page = open_views(models(chosen={"pinned": ["L3H1", "L2.mlp", "L0H5", "L9H9"]}, shown="pinned heads"))
    assert names(page) == ["L3H1", "L0H5"]
    set_state(page, "selection", pinned=[])
    page.locator(".rs-say", has_text="No head is pinned").wait_for()


def test_maps_that_do_not_travel_ahead_are_waited_for(open_views):
    page = open_views(models(data(ahead=False), {"head": [1, 0]}))
    page.locator(".rs-say", has_text="Waiting for the kernel").wait_for()
    found = {f"map/0/L1H{head}": ({"weights": patterns()[1, head]}, {}) for head in range(8)}
    assert saved(page, "grid") == [{"_ask": {"id": 1, "run": 7, "keys": list(found)}}]
    set_state(page, "grid", _answer=answer(found))
    page.locator(".rs-say", has_text="Attention of the 8 heads of layer 1").wait_for()


def test_a_layer_outside_the_run_is_said(open_views):
    page = open_views(models(shown="layer 9"))
    assert page.locator(".rs-say").inner_text() == "layer 9 is not in this run, which has 4 layers."


def test_the_choices_are_the_kernels(open_views):
    page = open_views(models())
    page.get_by_label("heads of").select_option("layer 2")
    page.get_by_label("sorted by").select_option("induction")
    assert saved(page, "grid") == [{"shown": "layer 2"}, {"sort": "induction"}]
