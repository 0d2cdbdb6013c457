"""Views of any quantities, in a browser: what each is drawn as, what a click selects, now, before and change."""

import numpy as np
import pytest

from residscope.quantity import Quantity
from residscope.views.base import View

from .conftest import DRAWN, about, make_run, quantities, saved, screenshot, selection, set_state, status, view

RNG = np.random.default_rng(0)
HEADS = Quantity("norm", RNG.random((1, 4, 8)), "row layer head", scale="sequential")
CURVE = Quantity("target so far", np.linspace(-2, 7, 10)[None], "row depth", "logits")
NORMS = Quantity("stream", RNG.normal(size=(1, 4, 15)), "row layer pos", "logits", lengths=[15])


class Sizes(View):
    """Sizes of parts."""

    title = "Sizes"
    help = ("How large the parts are.",)


DRAWN["view"] = Sizes


def data(run, say=str, seed=0):
    """A map of layers by tokens, a curve and a table of a run, with texts in other words."""
    rng, rows = np.random.default_rng(seed), run["rows"]
    lengths = [len(row["ids"]) for row in rows]
    stream = rng.normal(size=(len(rows), run["n_layers"], max(lengths)))
    curve = rng.normal(size=(len(rows), len(run["depths"])))
    return quantities(
        Quantity(say("stream"), stream, "row layer pos", "logits", reference=stream / 2, lengths=lengths),
        Quantity("target so far", curve, "row depth", say("logits")),
        Quantity("probability", [0.9, 0.1], "k", scale="sequential", labels=[say(" Mary"), say(" John")]),
        run=run["number"],
    )


def models(*shown, run=None, chosen=None, **traits):
    sizes = view("view", "view", _data=quantities(*shown), **traits)
    return [sizes, selection(**(chosen or {})), status(run or make_run())]


def said(page):
    return page.locator(".rs-say").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_map_of_heads_a_curve_and_a_map_of_tokens_are_one_view(open_views, theme):
    page = open_views(models(HEADS, CURVE, NORMS, chosen={"depth": 5, "head": [2, 1]}), dark=theme == "dark", ratio=2)
    assert page.locator(".rs-name").inner_text() == "Sizes"
    captions = page.locator("figcaption").all_inner_texts()
    assert captions == ["norm", "target so far · logits", "stream · logits"]
    maps = [one.get_attribute("aria-label") for one in page.get_by_role("grid").all()]
    assert maps == ["norm of each head, 4 layers by 8 heads", "stream, 4 layers by 15 positions"]
    curve = page.get_by_role("slider")
    assert curve.get_attribute("aria-valuetext") == "2.mid: 3.000 logits"
    norm, stream = float(HEADS.values[0, 2, 1]), float(NORMS.values[0, 2, 14])
    assert f"L2H1 has a norm of {norm:.3f}".rstrip("0") in said(page)
    assert "2.mid: +3.00 logits; the largest is output's, +7.00 logits." in said(page)
    sign = "−" if stream < 0 else "+"
    assert f"L2, ·to (14): {sign}{abs(stream):.6f}"[:18] in said(page)
    assert " logits at L2, ·the (7)." in said(page)
    page.get_by_role("button", name="about").click()
    assert page.locator(".rs-help").inner_text() == "How large the parts are."
    page.wait_for_timeout(500)
    screenshot(page, f"view-{theme}", whole=True)


def test_a_click_selects_what_the_axes_name(open_views):
    page = open_views(models(HEADS, CURVE, NORMS), height=1000)
    heads, stream = page.get_by_role("grid").all()
    heads.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    curve = page.get_by_role("slider")
    box = curve.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + 40)
    curve.focus()
    page.keyboard.press("ArrowLeft")
    stream.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    messages = saved(page, "selection")
    assert messages == [{"head": [1, 1]}, {"depth": 9}, {"depth": 8}, {"position": 0}]


def test_pairs_of_tokens_select_both(open_views):
    pattern = Quantity("attention", np.tril(np.full((15, 15), 0.1)), "query key", scale="sequential", high=1.0)
    page = open_views(models(pattern, chosen={"position": 4, "key": 2}), height=900)
    grid = page.get_by_role("grid")
    grid.focus()
    page.keyboard.press("ArrowUp")
    assert page.get_by_role("gridcell").inner_text() == "query ·and (3), key ·Mary (2): 0.1000"
    page.keyboard.press("Enter")
    assert saved(page, "selection") == [{"position": 3}]
    assert "attention · 0 to 1" in page.locator(".rs-what").inner_text()


def test_tokens_are_chips_tinted_by_their_number(open_views):
    tints = Quantity("surprise", np.arange(15.0) - 7, "pos", "nats")
    page = open_views(models(tints))
    chips = page.get_by_role("option")
    assert chips.count() == 15
    assert chips.nth(2).get_attribute("aria-label") == "·Mary (2): −5.000 nats"
    ground = "(chip) => getComputedStyle(chip).backgroundColor"
    assert len({chips.nth(at).evaluate(ground) for at in range(15)}) == 15
    chips.nth(2).click()
    assert saved(page, "selection") == [{"position": 2}]
    assert chips.nth(2).get_attribute("aria-selected") == "true"
    assert said(page).startswith("·Mary (2): −5.00 nats; the largest is ")
    page.get_by_role("listbox").focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert saved(page, "selection")[1] == {"position": 3}
    chips.nth(0).hover()
    assert "BOS (0) −7.000 nats" in page.locator(".rs-tooltip").inner_text().replace("\n", " ")


def test_numbers_with_texts_are_a_table(open_views):
    top = Quantity("probability", [[0.9, 0.1]], "row k", scale="sequential", labels=[[" Mary", "<b>John"]])
    page = open_views(models(top))
    rows = [row.inner_text().split("\t") for row in page.locator("tr").all()]
    assert [[cell.strip() for cell in row] for row in rows] == [["·Mary", "0.900"], ["<b>John", "0.100"]]


def test_now_before_and_change_are_one_switch(open_views):
    now, before = np.array([[1.0, 4.0]]), np.array([[2.0, 4.5]])
    changed = Quantity("effect", now, "layer head", "logits", reference=before)
    curve = Quantity("target", [3.0, 1.0], "layer", "logits", reference=[3.0, 9.0])
    page = open_views(models(changed, curve, chosen={"head": [0, 0]}))
    switch = page.get_by_role("group", name="show").get_by_role("button")
    assert switch.all_inner_texts() == ["now", "before", "change"]
    assert "L0H0: +1.00 logits; the largest is L0H1's, +4.00 logits." in said(page)
    assert page.locator(".rs-curve-before").count() == 1
    switch.nth(2).click()
    assert saved(page, "selection") == [{"show": "change"}]
    assert "L0H0 changed by −1.00 logits, from +2.00 to +1.00, the largest change." in said(page)
    assert page.locator("figcaption").all_inner_texts() == ["effect · logits · change", "target · logits · change"]
    assert page.locator(".rs-legend").inner_text().split() == ["+8.00", "0", "−8.00"], "one scale for all changes"
    set_state(page, "selection", show="before")
    page.get_by_text("In the untouched run: L0H0: +2.00 logits").wait_for()


def test_without_a_reference_there_is_no_switch(open_views):
    page = open_views(models(HEADS, chosen={"show": "change"}))
    assert page.get_by_role("group", name="show").count() == 0
    assert "The highest norm is" in said(page)


def test_along_tokens_one_prompt_is_shown_and_named(open_views):
    run = make_run(rows=2)
    run["rows"] = [run["rows"][0], run["rows"][1] | {"ids": run["rows"][1]["ids"][:6], "target_position": 5}]
    values = np.arange(2 * 4 * 15.0).reshape(2, 4, 15)
    norms = Quantity("stream", values, "row layer pos", lengths=[15, 6])
    curve = Quantity("target", [[1.0, 2.0], [3.0, 6.0]], "row layer", "logits")
    page = open_views(models(norms, curve, run=run), height=900)
    title = page.locator(".rs-title")
    assert "mean of 2 prompts · prompt 0 of 2" in title.inner_text()
    assert page.get_by_role("grid").get_attribute("aria-colcount") == "15"
    assert page.locator(".rs-curve-each").count() == 2
    set_state(page, "selection", row=1)
    page.locator('[role=grid][aria-colcount="6"]').wait_for()
    assert "mean of" not in title.inner_text()
    assert page.locator(".rs-curve-each").count() == 0


def test_what_is_not_in_this_run_is_said(open_views):
    page = open_views(models(NORMS, chosen={"position": 99}))
    assert said(page) == "Position 99 is not in this run, whose prompt has 15 tokens."
    set_state(page, "selection", position=0, row=4)
    page.get_by_text("Prompt 4 is not in this run, which has 1.").wait_for()


def test_a_long_prompt_is_searched(open_views):
    run = make_run()
    row = run["rows"][0]
    run["rows"] = [row | {"ids": [row["ids"][1 + i % 14] for i in range(200)], "target_position": 199}]
    tints = Quantity("surprise", np.ones(200), "pos")
    page = open_views(models(tints, run=run))
    find = page.get_by_label("find in the prompt")
    find.fill("store")
    find.press("Enter")
    (found,) = saved(page, "selection")
    assert row["ids"][1 + found["position"] % 14] == row["ids"][8]


def test_numbers_that_are_not_there_are_no_cells(open_views):
    page = open_views(models(Quantity("effect", np.full((4, 8), np.nan), "layer head", blank="No head was measured.")))
    assert said(page) == "No head was measured."
    page.get_by_role("grid").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert saved(page, "selection") == []


def test_what_the_class_says_of_itself_stands_before_any_run(open_views):
    assert about(Sizes)["title"] == "Sizes"
    page = open_views([view("view", "view", _data={"$bytes": ""}), selection(), status()])
    assert page.locator(".rs-name").inner_text() == "Sizes"
    assert said(page) == "Nothing has been computed yet."
