"""The map of heads, in a browser."""

import numpy as np
import pytest

from residscope.quantity import Quantity, SumCheck

from .conftest import job, make_run, quantities, saved, screenshot, selection, set_state, status, view

EFFECTS = np.array(
    [
        [-0.417, -0.134, 0.001, 0.375, -0.095, -0.472, -0.195, -0.208],
        [1.908, 1.260, 0.447, 1.481, -0.401, 0.158, 1.635, -1.042],
        [0.151, 0.011, -0.009, -0.461, 0.111, 0.082, -0.043, 0.246],
        [1.319, 3.084, 1.289, -0.681, -1.767, 1.265, 0.143, 0.357],
    ],
    dtype=np.float32,
)
CHECK = {
    "sum": 10.8024,
    "target": 10.8024,
    "tolerance": 1e-4,
    "ok": True,
    "reason": "",
}


SCORES = np.linspace(0, 0.97, 32, dtype=np.float32).reshape(1, 4, 8)


def data(run=7, values=None, scores=None, colour="direct effect", scores_on="this prompt", **check):
    values = np.stack([EFFECTS]) if values is None else values
    checks = [SumCheck(**{**CHECK, **check})] * len(values)
    effects = Quantity("direct effect", values, "row layer head", "logits", checks=checks)
    if scores is None:
        return quantities(effects, run=run)
    named = {
        "measured_on": scores_on,
        "blank": f"Nothing repeats in this prompt, so it has no {colour} score: choose random repeats.",
    }
    return quantities(
        Quantity(f"{colour} score", scores, "row layer head", "of 1", scale="sequential", high=1.0, **named), run=run
    )


def models(run=None, _data=None, chosen=None, shown=None, **status_traits):
    run = run or make_run()
    heads = view("head_attribution", "heads", _data=_data or data(), **(shown or {}))
    return [heads, selection(**(chosen or {})), status(run, **status_traits)]


def click(page, layer, head, **how):
    """Click the middle of a cell, measured from the map's labels and its size."""
    box = page.get_by_role("grid").bounding_box()
    left, cell = page.evaluate(
        """() => { const m = document.querySelector('.rs-map').getBoundingClientRect();
        const legend = document.querySelector('.rs-legend').getBoundingClientRect();
        const cell = (legend.height + 1) / 4; return [m.width - 4 - 8 * cell, cell]; }"""
    )
    x = box["x"] + left + (head + 0.5) * cell
    y = box["y"] + 4 + (3 - layer + 0.5) * cell
    page.mouse.click(x, y, **how)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_the_map_and_says_what_it_means(open_views, theme):
    page = open_views(models(chosen={"head": [3, 1], "pinned": ["L3H4"]}), dark=theme == "dark", ratio=2)
    text = page.locator(".rs-view").inner_text()
    assert "direct effect on ·Mary − ·John · logits" in text
    assert "sum 10.80 = 10.80 ✓" in text
    assert "run 7" in text
    assert "L3H1 adds +3.08 of the 10.80 logits by which ·Mary beats ·John" in text
    assert "all heads together +9.40. Blue pushes towards ·Mary." in text
    assert page.locator(".rs-view").get_attribute("data-theme") == theme
    page.wait_for_timeout(500)
    screenshot(page, f"head_attribution-{theme}")


def test_a_click_selects_a_head_in_one_message(open_views):
    page = open_views(models())
    click(page, 1, 7)
    assert saved(page, "selection") == [{"head": [1, 7]}]
    assert "L1H7 adds −1.04" in page.locator(".rs-say").inner_text()
    click(page, 1, 7)
    assert len(saved(page, "selection")) == 1


def test_shift_click_and_p_pin_and_unpin(open_views):
    page = open_views(models(chosen={"head": [2, 0]}))
    page.keyboard.down("Shift")
    click(page, 3, 4)
    page.keyboard.up("Shift")
    page.get_by_role("grid").focus()
    page.keyboard.press("p")
    page.keyboard.press("p")
    assert saved(page, "selection") == [
        {"pinned": ["L3H4"]},
        {"pinned": ["L3H4", "L2H0"]},
        {"pinned": ["L3H4"]},
    ]


def test_the_map_is_one_tab_stop_with_arrow_keys(open_views):
    page = open_views(models(chosen={"head": [0, 0]}))
    grid = page.get_by_role("grid")
    grid.focus()
    for key in ["ArrowUp", "ArrowUp", "ArrowRight"]:
        page.keyboard.press(key)
    assert page.get_by_role("gridcell").inner_text() == "layer 2, head 1: 0.01100 logits"
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert saved(page, "selection") == [{"head": [2, 7]}]
    page.keyboard.press("Escape")
    assert grid.evaluate("(grid) => grid.matches(':focus')")


def test_the_lists_of_strongest_heads_select(open_views):
    page = open_views(models())
    page.get_by_role("button", name="L3H4").click()
    assert saved(page, "selection") == [{"head": [3, 4]}]


def test_hover_says_the_value(open_views):
    page = open_views(models())
    page.get_by_role("grid").hover()
    assert "logits" in page.locator(".rs-tooltip").inner_text()
    view_box = page.locator(".rs-view").bounding_box()
    tip = page.locator(".rs-tooltip").bounding_box()
    assert tip["x"] + tip["width"] <= view_box["x"] + view_box["width"]


def test_the_selection_of_another_view_is_shown(open_views):
    page = open_views(models())
    set_state(page, "selection", head=[2, 3])
    page.get_by_text("L2H3 adds −0.461").wait_for()
    assert saved(page, "selection") == []


MARKS = """
([x, y, width, height]) => {
  const marks = [...document.querySelectorAll(".rs-map canvas")].at(-1);
  const pixels = marks.getContext("2d").getImageData(x, y, width, height).data;
  return pixels.join();
}
"""


def test_a_head_that_is_selected_and_pinned_has_both_marks(open_views):
    page = open_views(models(chosen={"head": [3, 1], "pinned": []}))
    whole = [0, 0, 400, 200]
    selected = page.evaluate(MARKS, whole)
    set_state(page, "selection", pinned=["L3H1"])
    page.wait_for_function(f"(before) => ({MARKS})([0, 0, 400, 200]) !== before", arg=selected)
    set_state(page, "selection", pinned=[])
    page.wait_for_function(f"(before) => ({MARKS})([0, 0, 400, 200]) === before", arg=selected)


def test_a_run_as_cached_says_so_beside_its_number(open_views):
    run = make_run()
    run["model"]["cached"] = "blocks.2.attn.hook_z holds 0 where the model gives 0.31"
    page = open_views(models(run))
    assert "as cached · run 7" in page.locator(".rs-title").inner_text().replace("\n", " ")


def test_a_failed_check_is_amber_with_its_reason(open_views):
    reason = "the sum misses the target by 0.31: a part is not recorded"
    page = open_views(models(_data=data(sum=10.49, ok=False, reason=reason)))
    mark = page.locator(".rs-amber")
    assert mark.inner_text() == "sum 10.49 ≠ 10.80 !"
    assert page.locator(".rs-warning").inner_text() == reason
    assert mark.evaluate("(mark) => getComputedStyle(mark).color") == "rgb(138, 90, 0)"


def test_token_text_stays_text(open_views):
    hostile = '<img src=x onerror="document.title=1">\n'
    run = make_run()
    run["rows"][0]["right"]["text"] = hostile
    page = open_views(models(run))
    assert page.locator(".rs-view img").count() == 0
    assert '<img src=x onerror="document.title=1">⏎' in page.locator(".rs-say").inner_text()
    assert page.title() == "residscope"


def test_a_head_outside_the_model_is_not_in_this_run(open_views):
    page = open_views(models(chosen={"head": [9, 9]}))
    say = page.locator(".rs-say").inner_text()
    assert say == "L9H9 is not in this run, which has 4 layers of 8 heads."
    assert saved(page, "selection") == []


def test_a_picture_stays_dimmed_until_its_run_is_complete(open_views):
    page = open_views(models())
    frame = page.locator(".rs-frame")
    set_state(page, "heads", _data=data(run=8, values=np.stack([2 * EFFECTS])))
    page.locator(".rs-frame[data-state=stale]").wait_for()
    assert "run 7" in frame.inner_text()
    page.wait_for_function("getComputedStyle(document.querySelector('.rs-map canvas')).opacity === '0.5'")
    set_state(page, "status", _header=make_run(8), run=8)
    page.locator(".rs-frame[data-state=current]").wait_for()
    assert "run 8" in frame.inner_text()
    assert "+18.80" in frame.inner_text()
    set_state(page, "heads", _data=data(run=6))
    assert "run 8" in frame.inner_text()


def test_an_error_takes_the_sentence_and_keeps_the_picture(open_views):
    page = open_views(models(_error={"run": 8, "message": "Out of memory: use fewer prompts."}))
    assert page.get_by_role("alert").inner_text() == "Out of memory: use fewer prompts."
    assert page.get_by_role("grid").count() == 1
    set_state(page, "status", _error=None)
    page.get_by_role("alert").wait_for(state="detached")


def test_a_job_of_another_view_neither_moves_nor_fails_here(open_views):
    others = [job("lens", id=4), job("lens", id=5, error="Out of memory.")]
    page = open_views(models(_jobs=others))
    page.wait_for_timeout(1200)
    assert page.get_by_role("button", name="Cancel").count() == 0
    assert page.locator(".rs-error").count() == 0
    set_state(page, "status", _jobs=[*others, job("heads", id=6, error="The score cannot be had.")])
    page.locator(".rs-error", has_text="The score cannot be had.").wait_for()


def test_computing_shows_a_line_then_words_and_cancel(open_views):
    page = open_views(models(_jobs=[job()]))
    page.get_by_role("progressbar").wait_for()
    page.get_by_text("layer 2 of 4").wait_for()
    page.get_by_role("button", name="Cancel").click()
    assert saved(page, "status") == [{"_cancel": 3}]
    set_state(page, "status", _jobs=[])
    page.get_by_role("progressbar").wait_for(state="detached")


def test_before_the_first_run_it_says_so(open_views):
    heads = view("head_attribution", "heads", _data={"$bytes": ""})
    page = open_views([heads, selection(), status()])
    assert page.locator(".rs-say").inner_text() == "Nothing has been computed yet."


def test_several_prompts_are_averaged_until_one_is_chosen(open_views):
    values = np.stack([EFFECTS, 3 * EFFECTS])
    page = open_views(models(make_run(rows=2), data(values=values), {"head": [3, 1]}))
    assert "mean of 2 prompts" in page.locator(".rs-title").inner_text()
    assert "L3H1 adds +6.17" in page.locator(".rs-say").inner_text()
    set_state(page, "selection", row=0)
    page.get_by_text("L3H1 adds +3.08").wait_for()


def test_a_host_that_shares_no_model_is_followed_through_the_mirror(open_views):
    shared = models(chosen={"head": [3, 1]})
    mirror = {"selection": shared[1]["state"], "status": shared[2]["state"]}
    shared[0]["state"] |= {"selection": "", "status": "", "_mirror": mirror}
    page = open_views(shared[:1])
    assert "L3H1 adds +3.08" in page.locator(".rs-say").inner_text()
    click(page, 0, 5)
    first, second = saved(page, "heads")
    assert first == {"_link": "mirror"}
    assert second["_mirror"]["selection"]["head"] == [0, 5]
    mirror["selection"]["head"] = [1, 1]
    set_state(page, "heads", _mirror=mirror)
    page.get_by_text("L1H1 adds +1.26").wait_for()


def test_a_head_that_does_not_exist_is_blank_and_cannot_be_chosen(open_views):
    values = EFFECTS.copy()
    values[2] = np.nan
    page = open_views(models(_data=data(values=np.stack([values]))))
    click(page, 2, 2)
    assert saved(page, "selection") == []


def test_nothing_is_left_after_the_view_closes(open_views):
    page = open_views(models())
    page.evaluate("window.residscope.close()")
    assert page.locator(".rs-view").count() == 0
    set_state(page, "selection", head=[1, 1])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_score_is_shown_from_0_to_1_with_the_heads_most_like_it(open_views, theme):
    sent = data(scores=SCORES, colour="induction")
    page = open_views(
        models(_data=sent, shown={"colour": "induction"}, chosen={"head": [2, 3]}), dark=theme == "dark", ratio=2
    )
    text = page.locator(".rs-view").inner_text()
    assert "induction score on this prompt · 0 to 1" in text
    assert "L2H3 has an induction score of 0.595 of 1 on this prompt; the highest is L3H7's, 0.970." in text
    listed = page.locator(".rs-strongest button")
    assert listed.all_inner_texts()[:2] == ["L3H7\n0.970", "L3H6\n0.939"]
    assert listed.count() == 6
    assert page.locator(".rs-legend").inner_text().split() == ["1.00", "0"]
    screenshot(page, f"head_attribution-induction-{theme}")


def test_what_is_coloured_and_on_what_is_one_message_each(open_views):
    page = open_views(models())
    assert page.locator("select").count() == 1
    page.get_by_label("colour").select_option("previous token")
    page.get_by_label("measured on").select_option("random repeats")
    assert saved(page, "heads") == [{"colour": "previous token"}, {"scores_on": "random repeats"}]


def test_random_repeats_are_one_for_all_prompts(open_views):
    sent = data(values=np.stack([EFFECTS] * 2), scores=SCORES, colour="duplicate token", scores_on="random repeats")
    shown = {"colour": "duplicate token", "scores_on": "random repeats"}
    page = open_views(models(make_run(rows=2), sent, shown=shown))
    text = page.locator(".rs-view").inner_text()
    assert "mean of 2 prompts" not in text
    assert "The highest duplicate token score on random repeats is L3H7's, 0.970 of 1." in text


def test_a_prompt_in_which_nothing_repeats_has_no_score(open_views):
    sent = data(scores=np.full((1, 4, 8), np.nan, np.float32), colour="induction")
    page = open_views(models(_data=sent, shown={"colour": "induction"}))
    assert page.locator(".rs-say").inner_text() == (
        "Nothing repeats in this prompt, so it has no induction score: choose random repeats."
    )


def test_without_a_kernel_the_colour_cannot_be_changed(open_views):
    page = open_views(models(), kernel=False)
    choice = page.get_by_label("colour")
    assert choice.is_disabled()
    assert "needs a kernel" in choice.get_attribute("title")
