"""The bars by layer, in a browser."""

import numpy as np
import pytest

from residscope.quantity import Quantity, SumCheck

from .conftest import make_run, quantities, saved, screenshot, selection, set_state, status, view

PARTS = {
    "embed": 0.15,
    "L0.attn": 0.49,
    "L0.mlp": -0.26,
    "L1.attn": 5.43,
    "L1.mlp": 0.88,
    "L2.attn": 0.42,
    "L2.mlp": 0.28,
    "L3.attn": 2.43,
    "L3.mlp": 0.98,
    "unembed_bias": 0.0,
}
LABELS = list(PARTS)
VALUES = np.array([list(PARTS.values())], dtype=np.float32)
CHECK = {"sum": 10.8024, "target": 10.8024, "tolerance": 1e-4, "ok": True, "reason": ""}


def data(run=7, values=VALUES, labels=LABELS, **check):
    checks = [SumCheck(**{**CHECK, **check})] * len(values)
    parts = {"component": labels}
    return quantities(Quantity("direct effect", values, "row component", "logits", parts, checks=checks), run=run)


def models(run=None, _data=None, chosen=None, **status_traits):
    layers = view("layer_attribution", "layers", _data=_data or data())
    return [layers, selection(**(chosen or {})), status(run or make_run(), **status_traits)]


def part(page, name):
    return page.locator(f'[role=option][aria-label^="{name}: "]')


def bar(page, name):
    """The box of a bar itself, without the line it stands on."""
    return part(page, name).locator("rect").nth(1).bounding_box()


def zero(page):
    return page.locator(".rs-bar-zero").bounding_box()["x"]


def deep(layers=48):
    labels = ["embed", *(f"L{n}.{one}" for n in range(layers) for one in ("attn", "mlp")), "unembed_bias"]
    values = np.random.default_rng(0).normal(0, 1, (1, len(labels))).astype(np.float32)
    return models({**make_run(), "n_layers": layers}, data(values=values, labels=labels))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_every_part_and_says_what_they_mean(open_views, theme):
    page = open_views(models(chosen={"pinned": ["L3.mlp"], "head": [1, 6]}), dark=theme == "dark", ratio=2)
    text = page.locator(".rs-view").inner_text()
    assert "direct effect of attention and MLPs on ·Mary − ·John · logits" in text
    assert "sum 10.80 = 10.80 ✓" in text
    assert "run 7" in text
    assert "Layer 3's MLP adds +0.980 of the 10.80 logits by which ·Mary beats ·John; " in text
    assert "attention together +8.77, MLPs together +1.88, embedding and biases +0.150." in text
    assert page.get_by_role("option").count() == len(LABELS)
    page.wait_for_timeout(500)
    screenshot(page, f"layer_attribution-{theme}")


def test_bars_grow_from_zero_by_their_value_in_the_colour_of_their_sign(open_views):
    page = open_views(models())
    long, short, against = (bar(page, name) for name in ("L1.attn", "L3.attn", "L0.mlp"))
    assert long["width"] / short["width"] == pytest.approx(5.43 / 2.43, rel=0.01)
    assert long["width"] / against["width"] == pytest.approx(5.43 / 0.26, rel=0.01)
    assert long["x"] == pytest.approx(zero(page), abs=1)
    assert against["x"] + against["width"] == pytest.approx(zero(page), abs=1)
    colours = {}
    for name in ("L1.attn", "L0.mlp"):
        fill = part(page, name).locator("rect").nth(1).evaluate("(bar) => getComputedStyle(bar).fill")
        colours[name] = [int(one) for one in fill.removeprefix("rgb(").removesuffix(")").split(",")]
    assert colours["L1.attn"] == [33, 102, 172]
    red, _, blue = colours["L0.mlp"]
    assert red > blue


def test_layers_stand_upwards_between_the_embedding_and_the_biases(open_views):
    page = open_views(models())
    tops = [bar(page, name)["y"] for name in LABELS]
    assert tops == sorted(tops, reverse=True)


def test_a_click_pins_a_part_by_its_name_and_a_second_one_unpins(open_views):
    page = open_views(models(chosen={"pinned": ["L3H4"]}))
    part(page, "L3.attn").click()
    assert saved(page, "selection") == [{"pinned": ["L3H4", "L3.attn"]}]
    assert part(page, "L3.attn").get_attribute("aria-selected") == "true"
    assert page.locator(".rs-bar-pinned").count() == 1
    assert "Layer 3's attention adds +2.43" in page.locator(".rs-say").inner_text()
    part(page, "L3.attn").click()
    assert saved(page, "selection")[1] == {"pinned": ["L3H4"]}
    assert page.locator(".rs-bar-pinned").count() == 0
    assert "Layer 1's attention adds +5.43 of the 10.80 logits" in page.locator(".rs-say").inner_text()


def test_the_bars_are_one_tab_stop_with_arrow_keys(open_views):
    page = open_views(models())
    bars = page.get_by_role("listbox")
    bars.focus()
    current = "(bars) => document.getElementById(bars.getAttribute('aria-activedescendant'))?.ariaLabel ?? null"
    assert bars.evaluate(current) is None
    seen = []
    for key in ["ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown", "Home", "ArrowUp", "End", "ArrowDown"]:
        page.keyboard.press(key)
        seen.append(bars.evaluate(current).split(":")[0])
    up_and_down = ["L1.attn", "L1.mlp", "L1.attn", "L0.mlp"]
    assert seen == [*up_and_down, "unembed_bias", "unembed_bias", "embed", "embed"]
    assert "embed +0.1500 logits" in page.locator(".rs-tooltip").inner_text()
    page.keyboard.press("Enter")
    assert saved(page, "selection") == [{"pinned": ["embed"]}]
    page.keyboard.press("Escape")
    assert bars.evaluate("(bars) => bars.matches(':focus')")
    assert page.locator(".rs-tooltip").count() == 0


@pytest.mark.parametrize("width", [360, 720])
def test_hover_says_the_value_and_stays_inside_the_view_clear_of_the_bar(open_views, width):
    page = open_views(models(), width=width)
    for name, value in {"L3.attn": "+2.430", "L0.mlp": "−0.2600", "embed": "+0.1500"}.items():
        part(page, name).hover()
        assert f"{name} {value} logits" in page.locator(".rs-tooltip").inner_text()
        tip, outside, here = (
            page.locator(one).bounding_box() for one in (".rs-tooltip", ".rs-view", ".rs-bar-pointed")
        )
        assert outside["x"] <= tip["x"]
        assert tip["x"] + tip["width"] <= outside["x"] + outside["width"]
        assert tip["y"] >= here["y"] + here["height"]
    page.mouse.move(0, 0)
    page.locator(".rs-tooltip").wait_for(state="detached")


def test_several_prompts_are_a_mean_with_a_dot_each_until_one_is_chosen(open_views):
    page = open_views(models(make_run(rows=2), data(values=np.concatenate([VALUES, 3 * VALUES]))))
    assert "mean of 2 prompts" in page.locator(".rs-title").inner_text()
    assert "Layer 1's attention adds +10.86" in page.locator(".rs-say").inner_text()
    ends = part(page, "L1.attn").locator(".rs-dots path").last
    first, second = (float(one.split(" ")[0]) for one in ends.get_attribute("d").split("M")[1:])
    left = page.locator(".rs-bars svg").bounding_box()["x"]
    box = bar(page, "L1.attn")
    middle = box["x"] + box["width"] - left
    assert (first + second) / 2 == pytest.approx(middle, abs=1)
    assert second - first == pytest.approx(box["width"], rel=0.01)
    part(page, "L1.attn").hover()
    assert "2 prompts: +5.430 to +16.290" in page.locator(".rs-tooltip").inner_text()
    set_state(page, "selection", row=0)
    page.get_by_text("Layer 1's attention adds +5.43").wait_for()
    assert page.locator(".rs-dots").count() == 0


def test_forty_eight_layers_stay_in_sight(open_views):
    page = open_views(deep(), height=900, ratio=2)
    bars = page.locator(".rs-bars svg")
    assert bars.bounding_box()["height"] <= 640
    assert page.get_by_role("option").count() == 98
    numbers = [box.bounding_box() for box in page.locator(".rs-bar-number").all()]
    numbers.sort(key=lambda box: box["y"])
    assert 5 < len(numbers) < 98
    middles = np.array([box["y"] + box["height"] / 2 for box in numbers])
    assert np.diff(middles).min() >= 11.9
    assert page.locator(".rs-bar-key").inner_text().split() == ["attention", "MLP"]
    part(page, "L20.mlp").click()
    assert saved(page, "selection") == [{"pinned": ["L20.mlp"]}]
    screenshot(page, "layer_attribution-48-layers")


def test_what_attention_always_adds_is_a_thin_bar(open_views):
    labels = [*LABELS[:8], "L3.attn_bias", *LABELS[8:]]
    values = np.insert(VALUES, 8, 0.5, axis=1)
    page = open_views(models(_data=data(values=values, labels=labels)))
    assert bar(page, "L3.attn_bias")["height"] == bar(page, "L3.attn")["height"] / 2
    assert "attn_bias" in page.locator(".rs-bars").inner_text()


def test_a_part_of_any_name_is_shown(open_views):
    hostile = '<img src=x onerror="document.title=1">'
    labels = [*LABELS[:-3], "L3.mixer", hostile, "soft_cap"]
    page = open_views(models(_data=data(labels=labels)), width=1240)
    text = page.locator(".rs-bars").inner_text()
    assert all(one in text for one in ("mixer", hostile, "soft_cap"))
    assert page.locator(".rs-view img").count() == 0
    assert page.title() == "residscope"


def test_the_layer_of_the_selected_head_is_marked(open_views):
    page = open_views(models())
    assert page.locator(".rs-bar-chosen").count() == 0
    set_state(page, "selection", head=[2, 5])
    page.locator(".rs-bar-chosen").wait_for()
    mark = page.locator(".rs-bar-chosen").bounding_box()
    attention = bar(page, "L2.attn")
    assert mark["y"] <= attention["y"] <= mark["y"] + mark["height"]
    set_state(page, "selection", head=[9, 5])
    page.locator(".rs-bar-chosen").wait_for(state="detached")
    assert saved(page, "selection") == []


def test_a_failed_check_is_amber_with_its_reason(open_views):
    reason = "the sum misses the target by 0.31: a part is not recorded"
    page = open_views(models(_data=data(sum=10.49, ok=False, reason=reason)))
    assert page.locator(".rs-amber").inner_text() == "sum 10.49 ≠ 10.80 !"
    assert page.locator(".rs-warning").inner_text() == reason


def test_a_prompt_outside_the_run_is_said(open_views):
    page = open_views(models(chosen={"row": 5}))
    assert page.locator(".rs-say").inner_text() == "Prompt 5 is not in this run, which has 1."


def test_the_menu_changes_the_colours_and_the_words(open_views):
    page = open_views(models())
    page.get_by_role("button", name="menu").click()
    page.get_by_role("menuitem", name="Colours: purple for positive").click()
    assert "Purple pushes towards ·Mary." in page.locator(".rs-say").inner_text()
    fill = part(page, "L1.attn").locator("rect").nth(1).evaluate("(bar) => getComputedStyle(bar).fill")
    assert fill == "rgb(84, 39, 136)"


def test_before_the_first_run_it_says_so(open_views):
    page = open_views([view("layer_attribution", "layers", _data={"$bytes": ""}), selection(), status()])
    assert page.locator(".rs-say").inner_text() == "Nothing has been computed yet."


def test_nothing_is_left_after_the_view_closes(open_views):
    page = open_views(models())
    page.evaluate("window.residscope.close()")
    assert page.locator(".rs-view").count() == 0
    set_state(page, "selection", pinned=["L1.attn"])
