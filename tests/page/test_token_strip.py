"""The prompt and its answers, in a browser."""

import numpy as np
import pytest

from .conftest import make_run, payload, saved, screenshot, selection, set_state, status, view

PROMPT = make_run()["rows"][0]["prompt"]
PRESETS = [
    {"name": "The park", "prompt": "Anna saw Tom. Anna gave a key to", "answers": [" Tom", " Anna"]},
    {"name": "A list", "prompt": "one two one", "answers": [" two", " one"]},
]


def data(
    run=7, prompts=(PROMPT,), answers=((" Mary", " John"),), presets=(), sources=None, refused=None, prefills=None
):
    answers = None if answers is None else [list(pair) for pair in answers]
    inputs = {"prompts": list(prompts), "answers": answers, "own": answers is None, "corrupted": None}
    inputs["prefills"] = prefills
    arrays = {} if sources is None else {"sources": sources}
    shown = {"unit": "logits", "called": "direct effect", "refused": refused}
    return payload(arrays, run=run, inputs=inputs, presets=list(presets), **shown)


def models(run=None, _data=None, chosen=None, **status_traits):
    strip = view("token_strip", "strip", _data=_data or data(), _edit=None, _refused=None)
    return [strip, selection(**(chosen or {})), status(run or make_run(), **status_traits)]


def two_prompts():
    return models(make_run(rows=2), data(prompts=[PROMPT] * 2, answers=[(" Mary", " John")] * 2))


def text(page):
    return page.locator(".rs-view").inner_text()


def facts(page):
    return " ".join(page.locator(".rs-facts").inner_text().split())


def edit(page):
    page.get_by_role("button", name="edit").click()
    return page.get_by_label("prompt", exact=True)


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('role') ?? document.activeElement.tagName")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_the_tokens_and_the_target(open_views, theme):
    page = open_views(models(_data=data(presets=PRESETS)), dark=theme == "dark", width=1240, ratio=2)
    chips = page.get_by_role("gridcell")
    assert chips.all_inner_texts()[:4] == ["BOS", "When", "·Mary", "·and"]
    assert chips.count() == 15
    assert facts(page) == (
        "·Mary against ·John difference 10.80 logits P 0.9997 rank 0 read at ·to (14), predicts (15)"
    )
    assert "demo · float32 · raw weights · BOS <|endoftext|>" in text(page)
    assert page.locator(".rs-target").inner_text() == "·to"
    assert page.locator(".rs-say").inner_text() == "After ·to (14), ·Mary is ahead of ·John by 10.80 logits."
    screenshot(page, f"token_strip-{theme}")


def test_a_click_selects_a_position_and_a_second_one_lets_it_go(open_views):
    page = open_views(models())
    john = page.get_by_role("gridcell", name="·John, position 4")
    john.click()
    assert saved(page, "selection") == [{"position": 4}]
    assert john.get_attribute("aria-selected") == "true"
    assert "Looking at ·John (4), token 4" in page.locator(".rs-say").inner_text()
    page.wait_for_timeout(600)
    john.click()
    assert saved(page, "selection")[1:] == [{"position": None}]
    assert page.locator(".rs-ringed").inner_text() == "·to"


def test_the_strip_is_one_tab_stop_with_arrow_keys(open_views):
    page = open_views(models(chosen={"position": 4}))
    strip = page.get_by_role("grid")
    strip.focus()
    for key in ["ArrowRight", "ArrowLeft", "ArrowLeft"]:
        page.keyboard.press(key)
    assert "position 3 · id 3" in page.locator(".rs-tooltip").inner_text()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert saved(page, "selection") == [{"position": 0}]
    page.keyboard.press("Escape")
    assert focused(page) == "grid"
    assert page.locator(".rs-tooltip, .rs-pointed").count() == 0


def test_hover_says_position_and_id(open_views):
    page = open_views(models())
    page.get_by_role("gridcell", name="·to, position 14").hover()
    tip = page.locator(".rs-tooltip").inner_text()
    assert "position 14 · id 6" in tip
    assert "the target is read here" in tip


def test_what_a_chat_template_added_is_grey_and_named(open_views):
    run = make_run()
    run["rows"][0]["template"] = [[0, 3], [13, 15]]
    page = open_views(models(run))
    assert page.eval_on_selector_all(".rs-template", "chips => chips.map((chip) => +chip.dataset.position)") == [
        *range(3),
        13,
        14,
    ]
    grey, ink = (
        page.eval_on_selector(f"[data-position='{at}']", "chip => getComputedStyle(chip).color") for at in (1, 5)
    )
    assert grey != ink
    page.hover("[data-position='13']")
    assert "the chat template's" in page.locator(".rs-tooltip").inner_text()


SOURCES = np.zeros((1, 4, 8, 15), np.float32)
SOURCES[0, 3, 1, 2] = 2.5
SOURCES[0, 1, 0, [2, 4]] = 0.5, -1.25
SOURCES[0, 2] = np.nan


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tokens_are_tinted_by_what_heads_take_from_them(open_views, theme):
    page = open_views(models(_data=data(sources=SOURCES)), dark=theme == "dark", width=1000, ratio=2)
    assert "\N{MINUS SIGN}3.00" in text(page)
    assert "+3.00 logits · what all heads move from each token to where the target is read" in text(page)
    colour = "chip => getComputedStyle(chip).backgroundColor"
    mary, john, went = (page.eval_on_selector(f"[data-position='{at}']", colour) for at in (2, 4, 5))
    assert len({mary, john, went}) == 3
    page.hover("[data-position='4']")
    assert "direct effect through all heads \N{MINUS SIGN}1.250 logits" in page.locator(".rs-tooltip").inner_text()
    screenshot(page, f"token_strip-effect-{theme}")
    set_state(page, "selection", head=[3, 1])
    page.get_by_text("what L3H1 moves from each token").wait_for()
    assert page.eval_on_selector("[data-position='4']", colour) == page.eval_on_selector("[data-position='5']", colour)


def test_the_tint_is_chosen_in_the_view_and_a_refusal_said(open_views):
    page = open_views(models(_data=data(refused="layer 0 has a gate between its values and its output")))
    assert "layer 0 has a gate" in text(page)
    page.get_by_label("colour").select_option("direct effect")
    assert saved(page, "strip") == [{"colour": "direct effect"}]


def test_one_of_several_prompts_is_chosen_by_its_number(open_views):
    page = open_views(two_prompts())
    assert "mean difference 10.80 logits over 2 prompts" in facts(page)
    page.get_by_role("rowheader").nth(1).click()
    assert saved(page, "selection") == [{"row": 1}]
    assert "read at ·to (14)" in facts(page)
    page.get_by_role("gridcell", name="·Mary, position 2").first.click()
    assert saved(page, "selection")[1] == {"position": 2, "row": 0}
    page.get_by_role("button", name="mean").click()
    assert saved(page, "selection")[2] == {"row": None}
    page.get_by_role("grid").focus()
    for key in ["ArrowRight", "Home", "ArrowLeft", "ArrowDown", "Enter"]:
        page.keyboard.press(key)
    assert saved(page, "selection")[3] == {"row": 1}


def test_an_edit_is_one_message_of_what_changed(open_views):
    page = open_views(models())
    field = edit(page)
    assert field.input_value() == PROMPT
    field.press_sequentially(" Tom")
    assert saved(page, "strip") == []
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert saved(page, "strip") == [{"_edit": {"id": 1, "prompts": [f"{PROMPT} Tom\nand"]}}]
    page.get_by_text("waiting for the kernel").wait_for()
    set_state(page, "status", _header=make_run(8), run=8)
    set_state(page, "strip", _data=data(8, prompts=[f"{PROMPT} Tom\nand"]))
    page.get_by_role("grid").wait_for()
    assert focused(page) == "grid"


def test_answers_are_edited_and_emptied(open_views):
    page = open_views(models())
    edit(page)
    page.get_by_label("right answer").fill(" Tom")
    assert page.locator(".rs-edit-preview").inner_text().split() == ["·Tom", "·John"]
    page.get_by_label("wrong answer").fill("")
    page.keyboard.press("Enter")
    page.get_by_label("right answer").fill("")
    page.keyboard.press("Enter")
    assert saved(page, "strip") == [
        {"_edit": {"id": 1, "answers": [[" Tom", None]]}},
        {"_edit": {"id": 2, "answers": None}},
    ]


def test_what_a_reply_begins_with_is_edited_beside_its_prompt(open_views):
    page = open_views(two_prompts())
    edit_button = page.get_by_role("button", name="edit")
    edit_button.click()
    assert page.get_by_text("reply begins with").count() == 0
    page.keyboard.press("Escape")
    set_state(page, "strip", _data=data(prompts=["France?", "Italy?"], answers=None, prefills=["In France", ""]))
    edit_button.click()
    first, second = (page.get_by_label(f"reply of prompt {row} begins with") for row in range(2))
    assert (first.input_value(), second.input_value()) == ("In France", "")
    page.get_by_label("prompt 0", exact=True).fill("Germany?")
    first.fill("In Germany")
    screenshot(page, "token_strip-reply")
    page.keyboard.press("Enter")
    edited = {"id": 1, "prompts": ["Germany?", "Italy?"], "prefill": ["In Germany", ""]}
    assert saved(page, "strip") == [{"_edit": edited}]
    message = "prefill is a text, or a list with one text per prompt"
    set_state(page, "strip", _refused={"id": 1, "field": "prefill", "message": message})
    assert page.get_by_role("alert").inner_text() == message
    assert first.get_attribute("aria-invalid") == "true"
    assert page.get_by_label("prompt 0", exact=True).get_attribute("aria-invalid") is None


def test_leaving_the_fields_sends_what_changed_and_escape_nothing(open_views):
    page = open_views(models())
    edit(page).fill("one")
    page.get_by_label("right answer").focus()
    page.wait_for_timeout(50)
    assert saved(page, "strip") == []
    page.keyboard.press("Escape")
    page.get_by_role("grid").wait_for()
    assert focused(page) == "grid"
    page.keyboard.press("e")
    page.keyboard.type("!")
    page.get_by_role("button", name="about Prompt").click()
    page.wait_for_function("window.residscope.saved.length > 0")
    assert saved(page, "strip") == [{"_edit": {"id": 1, "prompts": [f"{PROMPT}!"]}}]


def test_a_double_click_edits_and_unchanged_text_is_not_sent(open_views):
    page = open_views(models())
    page.get_by_role("gridcell", name="·Mary, position 2").dblclick()
    assert saved(page, "selection") == [{"position": 2}]
    page.keyboard.press("Enter")
    page.get_by_role("grid").wait_for()
    assert saved(page, "strip") == []


def test_a_refused_edit_keeps_the_text_and_says_why(open_views):
    page = open_views(models())
    field = edit(page)
    field.fill("")
    page.keyboard.press("Enter")
    message = "prompts has an empty text: give at least one token"
    set_state(page, "strip", _refused={"id": 1, "field": "prompts", "message": message})
    assert page.get_by_role("alert").inner_text() == message
    assert field.input_value() == ""
    assert field.get_attribute("aria-invalid") == "true"
    assert page.get_by_label("right answer").get_attribute("aria-invalid") is None
    field.fill("more")
    assert page.get_by_role("alert").count() == 0
    page.keyboard.press("Enter")
    assert [one["_edit"]["id"] for one in saved(page, "strip")] == [1, 2]
    set_state(page, "strip", _refused={"id": 2, "field": "answers", "message": "the answer ' Mary' is 2 tokens"})
    page.get_by_role("alert").wait_for()
    assert page.get_by_label("right answer").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("right answer").input_value() == " Mary"
    assert field.input_value() == "more"


def test_a_run_from_python_shows_at_once_but_not_over_what_is_typed(open_views):
    page = open_views(models())
    field = edit(page)
    set_state(page, "strip", _data=data(8, prompts=["from Python"]))
    set_state(page, "status", _header=make_run(8), run=8)
    page.wait_for_function("document.querySelector('textarea').value === 'from Python'")
    field.fill("typed")
    set_state(page, "strip", _data=data(9, prompts=["again"], answers=[(" Tom", " Ann")]))
    set_state(page, "status", _header=make_run(9), run=9)
    page.get_by_text("run 9").wait_for()
    assert field.input_value() == "typed"
    assert page.get_by_label("right answer").input_value() == " Tom"
    page.keyboard.press("Enter")
    assert saved(page, "strip") == [{"_edit": {"id": 1, "prompts": ["typed"]}}]


def test_an_example_is_one_edit_of_prompt_and_answers(open_views):
    page = open_views(models(_data=data(presets=PRESETS)))
    page.get_by_role("button", name="examples").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert saved(page, "strip") == [{"_edit": {"id": 1, "prompts": ["one two one"], "answers": [[" two", " one"]]}}]


def test_keys_typed_in_fields_never_reach_the_notebook(open_views):
    page = open_views(models())
    page.evaluate("document.addEventListener('keydown', () => { window.heard = (window.heard ?? 0) + 1; })")
    edit(page)
    page.keyboard.type("dd j x")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("window.heard") is None
    inside = "document.querySelector('.rs-strip-rows').closest('[data-lm-suppress-shortcuts]') !== null"
    assert page.evaluate(inside)


def long_run(length=2000, rows=1):
    run = make_run(rows=rows)
    words = run["rows"][0]["ids"]
    row = run["rows"][0] | {"ids": [words[i % 15] for i in range(length)], "target_position": length - 1}
    row["ids"][7 * length // 20] = 900
    return {**run, "rows": [row] * rows, "texts": {**run["texts"], "900": " Zoe"}}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_of_a_long_prompt_only_the_lines_in_sight_are_drawn(open_views, theme):
    page = open_views(models(long_run()), dark=theme == "dark", width=900, ratio=2)
    chips = page.get_by_role("gridcell")
    assert chips.count() < 400
    # Where the target is read is in sight, and nothing sticks out.
    assert page.locator(".rs-target").count() == 1
    rows = page.locator(".rs-strip-rows")
    assert rows.evaluate("(el) => el.scrollTop > 0 && el.scrollWidth <= el.clientWidth")
    positions = chips.evaluate_all("(every) => every.map((chip) => +chip.dataset.position)")
    assert positions == list(range(positions[0], 2000))
    screenshot(page, f"token_strip-long-{theme}")
    rows.evaluate("(el) => { el.scrollTop = 0; }")
    page.locator("[data-position='0']").wait_for()
    page.locator("[data-position='5']").click()
    assert saved(page, "selection") == [{"position": 5}]


def test_find_goes_from_place_to_place_and_scrolls_there(open_views):
    page = open_views(models(long_run()), width=900)
    find = page.get_by_role("searchbox", name="find in the prompt")
    find.fill("zoe")
    page.get_by_text("1 found").wait_for()
    find.press("Enter")
    assert saved(page, "selection") == [{"position": 700}]
    page.locator("[data-position='700'].rs-ringed").wait_for()
    page.get_by_text("1 of 1").wait_for()
    find.fill("mary and")
    find.press("Enter")
    find.press("Shift+Enter")
    first, second = (change["position"] for change in saved(page, "selection")[1:])
    assert (first % 15, second % 15) == (2, 2)
    assert second < 700 < first
    page.locator(f"[data-position='{second}'].rs-ringed").wait_for()


def test_keys_lead_through_long_prompts_and_each_has_its_number_above(open_views):
    page = open_views(models(long_run(500, rows=2)), width=900)
    page.locator(".rs-strip-rows").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert saved(page, "selection") == [{"position": 0}, {"position": 499, "row": 1}]
    page.locator("[data-row='1'][data-position='499']").wait_for()
    page.keyboard.press("Home")
    assert page.locator(".rs-row-number").last.inner_text() == "1"


def test_a_short_prompt_has_nothing_to_find_in(open_views):
    page = open_views(models())
    assert page.get_by_role("searchbox").count() == 0


def test_token_text_stays_text(open_views):
    hostile = ['<img src=x onerror="document.title=1">', "</script><b>", "a\u202eb", "\u05de\u05dc\u05da", "\n", " "]
    run = make_run(warnings=["<i>careful</i>"])
    run["texts"] |= {str(id): one for id, one in enumerate(hostile, 1)}
    run["rows"][0]["right"]["text"] = hostile[0]
    page = open_views(models(run, data(prompts=["".join(hostile)], answers=[(hostile[0], hostile[1])])))
    chips = page.get_by_role("gridcell").all_inner_texts()
    assert chips[1:7] == [*hostile[:4], "⏎", "·"]
    # Each token's own direction is kept within its chip.
    order = page.get_by_role("gridcell").evaluate_all("(all) => all.map((one) => one.offsetLeft + 9e4 * one.offsetTop)")
    assert order == sorted(order)
    edit(page)
    assert page.locator(".rs-view :is(img, i, script)").count() == 0
    assert page.locator(".rs-warning").inner_text() == "<i>careful</i>"
    assert page.title() == "residscope"


def test_one_answer_and_none_are_told_apart(open_views):
    run = make_run()
    run["rows"][0] |= {"wrong": None, "target": {"name": "log P(' Mary')", "value": -0.0712, "unit": "nats"}}
    page = open_views(models(run, data(answers=[(" Mary", None)])))
    assert facts(page).startswith("·Mary alone log-probability −0.0712 nats P 0.9997")
    set_state(page, "strip", _data=data(8, answers=None))
    set_state(page, "status", _header=make_run(8), run=8)
    page.get_by_text("the model's own top two").wait_for()
    edit(page)
    assert page.get_by_label("right answer").input_value() == ""


def test_warnings_are_said(open_views):
    run = make_run(warnings=["John: another spelling is likelier."])
    page = open_views(models(run))
    amber = page.locator(".rs-warning")
    assert amber.inner_text() == "John: another spelling is likelier."
    assert amber.evaluate("(line) => getComputedStyle(line).color") == "rgb(138, 90, 0)"


def test_without_a_kernel_nothing_can_be_edited(open_views):
    page = open_views(models(_data=data(presets=PRESETS)), kernel=False)
    for name in ["edit", "examples"]:
        button = page.get_by_role("button", name=name)
        assert button.is_disabled()
        assert "needs a kernel" in button.get_attribute("title")
    page.get_by_role("gridcell", name="·Mary, position 2").dblclick()
    assert page.locator("textarea").count() == 0


def test_what_is_not_in_this_run_is_said(open_views):
    page = open_views(models(chosen={"position": 40}))
    assert page.locator(".rs-say").inner_text() == "Position 40 is not in this run, whose prompt has 15 tokens."
    set_state(page, "selection", position=None, row=3)
    page.get_by_text("Prompt 3 is not in this run, which has 1.").wait_for()
    assert saved(page, "selection") == []


def test_nothing_is_left_after_the_view_closes(open_views):
    page = open_views(models())
    edit(page).fill("typed")
    page.evaluate("window.residscope.close()")
    page.wait_for_timeout(50)
    assert page.locator(".rs-view").count() == 0
    assert saved(page, "strip") == []
