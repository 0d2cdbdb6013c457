"""The logit lens, in a browser."""

import re

import numpy as np
import pytest

from .conftest import answer, make_run, payload, saved, screenshot, selection, set_state, status, view

DEPTHS = len(make_run()["depths"])
LENGTH = 15
K = 10
CHECK = {"sum": 0.0, "target": 0.0, "difference": 0.0, "tolerance": 1e-4, "ok": True, "reason": ""}
TEXTS = {str(id): text for id, text in enumerate([" Mary", " John", " the", "a", "\n", ".", " went", " Tom"], 100)}
TEXTS |= {str(id): f" word{id}" for id in range(108, 140)}
HOSTILE = {
    "100": '<img src=x onerror="document.title=1">',
    "101": "</script><script>document.title=1</script>",
    "102": "\u202eevil\u202c",
    "103": "מלך",
}


def arrays(rows=1, depths=DEPTHS, length=LENGTH, seed=0):
    """A lens with arbitrary tokens, and probabilities of every size."""
    rng = np.random.default_rng(seed)
    ids = np.array([rng.permutation(40)[:K] for _ in range(rows * depths * length)]) + 100
    top = rng.uniform(size=(rows, depths, length, 1)) ** 2
    rest = (1 - top) * 2.0 ** -np.arange(1, K) * 0.9
    return {
        "top_ids": ids.reshape(rows, depths, length, K).astype(np.int32),
        "top_probs": np.concatenate([np.maximum(top, rest[..., :1]), rest], -1).astype(np.float16),
        "entropy": rng.uniform(0, 5, (rows, depths, length)).astype(np.float16),
        "target_value": np.linspace(-3, 10.8024, depths, dtype=np.float32)[None].repeat(rows, 0),
        "target_rank": np.arange(depths, dtype=np.int32)[None, ::-1].repeat(rows, 0).copy(),
    }


LENS = arrays()
CELLS = ("top_ids", "top_probs", "entropy")


def data(tensors=LENS, run=7, texts=TEXTS, starts=None, curve=None, **check):
    rows = len(tensors["top_ids"])
    sent = {name: tensors[name] for name in ("target_value", "target_rank")}
    for name in CELLS:
        sent |= {f"{name}.{row}": np.ascontiguousarray(tensors[name][row]) for row in range(rows)}
    sent |= {} if curve is None else {"curve": curve}
    checks = [{**CHECK, **check}] * rows
    return payload(sent, run=run, texts=texts, check=checks, unit="logits", starts=starts or [0] * rows)


def models(run=None, _data=None, chosen=None, **status_traits):
    lens = view("logit_lens", "lens", _data=_data or data())
    return [lens, selection(**{"depth": DEPTHS - 1, **(chosen or {})}), status(run or make_run(), **status_traits)]


def say(page):
    return page.locator(".rs-say").inner_text()


def shown(text):
    """A token as views write it."""
    return re.sub(r"^ ", "·", text).replace("\n", "⏎")


def painted(page, layer=0):
    """A canvas of the grid as one string: cells are layer 0, rings and names layer 1."""
    return page.locator(".rs-lens-window canvas").nth(layer).evaluate("(canvas) => canvas.toDataURL()")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_says_what_leads_and_how_far_the_target_is(open_views, theme):
    page = open_views(models(), dark=theme == "dark", width=1240, ratio=2)
    top = LENS["top_ids"][0, -1, 14, 0]
    share = LENS["top_probs"][0, -1, 14, 0]
    expected = f"At the output, after ·to (14), {shown(TEXTS[str(top)])} leads with {share:.2f}; "
    assert say(page) == expected + "·Mary is ahead of ·John by 10.80 logits."
    assert "output = model ✓" in page.locator(".rs-title").inner_text()
    set_state(page, "selection", depth=4, position=3)
    page.get_by_text("At 1.post, after ·and (3)").wait_for()
    assert "where the target is read, after ·to (14), ·Mary is ahead of ·John by" in say(page)
    set_state(page, "selection", depth=0)
    page.get_by_text("·Mary is behind ·John by 3.00 logits.").wait_for()
    screenshot(page, f"logit_lens-{theme}")


def test_every_cell_shows_what_the_arrays_hold(open_views):
    page = open_views(models(chosen={"depth": 0, "position": 0}), width=1240)
    page.get_by_role("grid").focus()
    names = make_run()["depths"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    for depth, position in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]:
        top, share = LENS["top_ids"][0, depth, position, 0], LENS["top_probs"][0, depth, position, 0]
        spoken = page.get_by_role("gridcell").inner_text()
        assert spoken.startswith(f"{names[depth]}, after ")
        assert f"({position}): {shown(TEXTS[str(top)])}, " in spoken
        assert float(spoken.rsplit(", ", 1)[1]) == pytest.approx(float(share), rel=1e-3)
        assert shown(TEXTS[str(top)]) in page.locator(".rs-tooltip").inner_text()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")


def test_a_click_sets_depth_and_position_in_one_message_and_lists_that_cell(open_views):
    page = open_views(models(), width=1240)
    box = page.get_by_role("grid").bounding_box()
    page.mouse.click(box["x"] + 300, box["y"] + 70)
    (change,) = saved(page, "selection")
    assert change.keys() == {"depth", "position"}
    depth, position = change["depth"], change["position"]
    assert depth == DEPTHS - 1 - (70 - 4) // 22
    rows = page.locator(".rs-lens-guesses tbody tr")
    for place in range(rows.count()):
        token, share = rows.nth(place).locator("td").all_inner_texts()[:2]
        assert token == shown(TEXTS[str(LENS["top_ids"][0, depth, position, place])])
        value = float(LENS["top_probs"][0, depth, position, place])
        assert share == ("<0.001" if value < 0.0005 else f"{value:.3f}")
    assert rows.count() >= 5
    page.mouse.click(box["x"] + 300, box["y"] + 70)
    assert len(saved(page, "selection")) == 1


def test_keys_move_and_enter_selects(open_views):
    page = open_views(models(), width=1240)
    grid = page.get_by_role("grid")
    grid.focus()
    for key in ["ArrowDown", "ArrowDown", "ArrowLeft", "Enter"]:
        page.keyboard.press(key)
    assert saved(page, "selection") == [{"depth": DEPTHS - 3, "position": 13}]
    page.keyboard.press("Escape")
    assert grid.evaluate("(grid) => grid.matches(':focus')")


STEP = """
(slider) => {
  const view = slider.closest(".rs-view");
  const canvas = view.querySelectorAll(".rs-lens-window canvas")[1];
  const before = canvas.toDataURL();
  const times = [];
  const words = new Set();
  for (let depth = +slider.max - 1; depth >= 0; depth--) {
    slider.value = depth;
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    times.push(performance.now() - start);
    words.add(view.querySelector(".rs-say").textContent);
  }
  times.sort((a, b) => a - b);
  return { repainted: canvas.toDataURL() !== before, said: words.size, median: times[times.length >> 1] };
}
"""


def test_a_slider_step_paints_at_once_and_sends_traits(open_views):
    page = open_views(models(), width=1240)
    # No kernel answers here, and no frame passes: all is painted while the event is handled.
    done = page.get_by_role("slider").evaluate(STEP)
    assert done["repainted"]
    assert done["said"] == DEPTHS - 1
    assert saved(page, "selection") == [{"depth": depth} for depth in range(DEPTHS - 2, -1, -1)]
    assert page.evaluate("window.residscope.sent") == []
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "embed"


def test_the_curve_selects_a_depth(open_views):
    page = open_views(models(), width=1240)
    curve = page.locator(".rs-lens-curve .rs-curve svg")
    assert curve.locator("circle").count() == DEPTHS
    point = curve.locator("circle").nth(3).bounding_box()
    page.mouse.click(point["x"] + 2, point["y"] + 2)
    assert saved(page, "selection") == [{"depth": 3}]
    assert "1.mid" in page.locator(".rs-tooltip").inner_text()


def test_play_steps_to_the_output_and_stops(open_views):
    page = open_views(models(chosen={"depth": DEPTHS - 3}), width=1240)
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.get_by_role("button", name="play").click()
    page.get_by_role("button", name="pause").wait_for()
    page.clock.run_for(5000)
    page.get_by_role("button", name="play").wait_for()
    assert saved(page, "selection") == [{"depth": DEPTHS - 2}, {"depth": DEPTHS - 1}]
    page.get_by_role("button", name="play").click()
    assert saved(page, "selection")[2] == {"depth": 0}
    page.get_by_role("button", name="pause").click()
    page.clock.run_for(5000)
    assert len(saved(page, "selection")) == 3


def test_a_long_row_of_a_deep_model_is_drawn_by_windows(open_views):
    length, depths = 300, 49
    names = ["embed", *(f"{layer}.{part}" for layer in range(24) for part in ("mid", "post"))]
    run = make_run(depths=[*names[:-1], "output"])
    run["rows"][0] |= {"ids": [run["rows"][0]["ids"][i % LENGTH] for i in range(length)], "target_position": length - 1}
    page = open_views(models(run, data(arrays(depths=depths, length=length))), width=1000, height=1000)
    set_state(page, "selection", depth=48)
    assert page.locator(".rs-view *").count() < 400
    scroll = page.locator(".rs-lens-scroll")
    assert scroll.evaluate("(el) => el.scrollWidth > 10 * el.clientWidth")
    # Where the target is read is in sight from the beginning.
    assert scroll.evaluate("(el) => el.scrollLeft > el.scrollWidth - el.clientWidth - 8")
    canvas = page.locator(".rs-lens-window canvas").first
    assert canvas.bounding_box()["width"] <= 1000
    before = painted(page)
    scroll.evaluate("(el) => { el.scrollLeft = 0; }")
    page.wait_for_function(
        "(before) => document.querySelector('.rs-lens-window canvas').toDataURL() !== before", arg=before
    )
    assert page.get_by_role("slider").evaluate(STEP)["median"] < 50
    set_state(page, "selection", position=150)
    page.wait_for_function("document.querySelector('.rs-lens-scroll').scrollLeft > 1000")
    screenshot(page, "logit_lens-long")


def test_of_a_long_row_cells_come_when_they_are_on_screen(open_views):
    length = 300
    lens = arrays(length=length)
    here = {name: values[:, :, 268:] if name in CELLS else values for name, values in lens.items()}
    run = make_run()
    run["rows"][0] |= {"ids": [run["rows"][0]["ids"][i % LENGTH] for i in range(length)], "target_position": length - 1}
    curve = np.arange(DEPTHS * length, dtype=np.float32).reshape(1, DEPTHS, length)
    page = open_views(models(run, data(here, starts=[268], curve=curve)), width=1000, height=700)
    page.wait_for_timeout(300)
    assert saved(page, "lens") == [], "what is on screen at first is here"
    set_state(page, "selection", position=100)
    page.get_by_text("over layers, after ").wait_for()
    assert "the most likely token has not arrived yet" in say(page)
    page.wait_for_function("window.residscope.saved.length > 0")
    asked = saved(page, "lens")[0]["_ask"]
    ((kind, row, start, stop),) = (key.split("/") for key in asked["keys"])
    assert (asked["run"], kind, row) == (7, "cells", "0")
    assert int(stop) - int(start) == 32 == 32 * (int(start) % 32 == 0)
    for start in (96, 64, 128):
        part = {name: np.ascontiguousarray(lens[name][0, :, start : start + 32]) for name in CELLS}
        set_state(page, "lens", _answer=answer({f"cells/0/{start}/{start + 32}": (part, {"texts": TEXTS})}))
    top = lens["top_ids"][0, -1, 100, 0]
    page.get_by_text(f"{shown(TEXTS[str(top)])} leads with").wait_for()
    find = page.get_by_role("searchbox", name="find in the prompt")
    find.fill("store")
    find.press("Enter")
    assert saved(page, "selection") == [{"position": 113}], "the next store after 100"


def test_token_text_stays_text(open_views):
    run = make_run()
    run["texts"] = {id: HOSTILE.get(str(100 + int(id) % 4)) for id in run["texts"]}
    page = open_views(models(run, data(texts={**TEXTS, **HOSTILE})), width=1240)
    page.get_by_role("grid").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
    assert page.locator(".rs-view img, .rs-view script").count() == 0
    assert page.title() == "residscope"


def test_a_failed_check_is_amber_with_its_reason(open_views):
    reason = "the last row misses the model's logits by 0.3: another final norm is in use"
    page = open_views(models(_data=data(ok=False, reason=reason)))
    assert page.locator(".rs-amber").inner_text() == "output ≠ model !"
    assert page.locator(".rs-warning").inner_text() == reason


def test_what_is_not_in_this_run_is_said_and_changes_nothing(open_views):
    page = open_views(models(chosen={"depth": 30}))
    assert say(page) == f"Stop 30 of the slider is not in this run, which has {DEPTHS}."
    set_state(page, "selection", depth=2, position=99)
    page.get_by_text("Position 99 is not in this run, whose prompt has 15 tokens.").wait_for()
    set_state(page, "selection", row=5, position=None)
    page.get_by_text("Prompt 5 is not in this run, which has 1.").wait_for()
    assert saved(page, "selection") == []


def test_of_several_prompts_the_first_is_shown_until_one_is_chosen(open_views):
    lens = arrays(rows=2)
    page = open_views(models(make_run(rows=2), data(lens)), width=1240)
    assert "prompt 0 of 2, not their mean" in page.locator(".rs-title").inner_text()
    set_state(page, "selection", row=1)
    top = lens["top_ids"][1, -1, 14, 0]
    page.get_by_text(f"{shown(TEXTS[str(top)])} leads with").wait_for()
    assert "prompt 1 of 2" in page.locator(".rs-title").inner_text()
    assert "mean" not in page.locator(".rs-title").inner_text()


def test_one_answer_alone_is_a_log_probability(open_views):
    run = make_run()
    run["rows"][0]["wrong"] = None
    run["rows"][0]["target"] = {"name": "log P(' Mary')", "value": -0.07, "unit": "nats"}
    page = open_views(models(run))
    assert say(page).endswith("; the log-probability of ·Mary is 10.80 nats.")


def test_a_prompt_of_two_tokens_is_two_columns(open_views):
    lens = {name: values[:, :, :2] if name in CELLS else values for name, values in LENS.items()}
    run = make_run()
    run["rows"][0] |= {"ids": run["rows"][0]["ids"][:2], "target_position": 1}
    page = open_views(models(run, data(lens)), width=1240)
    box = page.get_by_role("grid").bounding_box()
    assert box["width"] < 300
    page.get_by_role("grid").focus()
    page.keyboard.press("End")
    page.keyboard.press("End")
    assert "(1): " in page.get_by_role("gridcell").inner_text()


def test_nothing_is_left_after_the_view_closes(open_views):
    page = open_views(models(chosen={"depth": 0}))
    page.get_by_role("button", name="play").click()
    page.evaluate("window.residscope.close()")
    page.wait_for_timeout(700)
    assert saved(page, "selection") == []
    assert page.locator(".rs-view").count() == 0
