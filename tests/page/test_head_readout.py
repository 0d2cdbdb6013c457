"""The card of one head, in a browser."""

import pytest

from .conftest import answer, make_run, payload, saved, screenshot, selection, set_state, status, view

CARD = {
    "row": 0,
    "head": [3, 0],
    "position": 14,
    "looks": [[2, 0.93], [4, 0.04], [0, 0.001]],
    "effect": 2.81,
    "rank": 2,
    "shares": [1, 2],
    "scores": [["induction", 0.02], ["previous token", 0.16], ["duplicate token", None]],
    "writes": [["promotes", [[2, 3.8], [40, 2.39]]], ["suppresses", [[41, -2.33], [4, -1.9]]]],
}


def card(run=7, **changes):
    shown = {**CARD, **changes}
    (layer, head), texts = shown["head"], {"40": " Chicken", "41": "Matthew"}
    key = f"card/{shown['row']}/L{layer}H{head}/{shown['position']}"
    return answer({key: ({}, {"card": shown, "texts": texts})}, run=run)


def models(_answer=None, run=None, chosen=None, **status_traits):
    readout = view("head_readout", "readout", _data=payload({}), _answer=_answer or card())
    return [readout, selection(**{"head": [3, 0], **(chosen or {})}), status(run or make_run(), **status_traits)]


def say(page):
    return page.locator(".rs-say").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_where_the_head_looks_what_it_writes_and_what_it_adds(open_views, theme):
    page = open_views(models(), dark=theme == "dark", width=900, ratio=2)
    text = page.locator(".rs-view").inner_text()
    for line in ("L3H0 at ·to (14)", "looks at", "·Mary (2)", "0.93", "promotes · logits", "·Chicken", "+2.39",
                 "suppresses · logits", "Matthew", "\N{MINUS SIGN}2.33", "+2.81", "2nd of 32 by size",
                 "no repeats", "as H1, H2"):  # fmt: skip
        assert line in text, line
    assert say(page) == (
        "L3H0 at ·to (14) looks most at ·Mary (2) with 0.93, promotes ·Mary most and suppresses Matthew most; it adds "
        "+2.81 of the 10.80 logits by which ·Mary beats ·John."
    )
    assert page.locator(".rs-right", has_text="·Mary").count() == 1
    assert page.locator(".rs-wrong", has_text="·John").count() == 1
    screenshot(page, f"head_readout-{theme}")


def test_a_token_it_looks_at_selects_the_key(open_views):
    page = open_views(models())
    page.get_by_role("button", name="·John (4)").click()
    assert saved(page, "selection") == [{"key": 4}]


def test_another_head_dims_the_card_until_its_own_arrives(open_views):
    page = open_views(models())
    set_state(page, "selection", head=[1, 1])
    page.locator(".rs-say", has_text="L1H1 is waiting for the kernel").wait_for()
    assert saved(page, "readout") == [{"_ask": {"id": 1, "run": 7, "keys": ["card/0/L1H1/14"]}}]
    assert page.locator(".rs-readout.rs-old").count() == 1
    set_state(page, "readout", _answer=card(head=[1, 1]))
    page.locator(".rs-say", has_text="L1H1 at ·to (14) looks most at").wait_for()
    assert page.locator(".rs-old").count() == 0


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"head": None}, "Select a head: click one in Heads"),
        ({"head": [9, 0]}, "L9H0 is not in this run, which has 4 layers of 8 heads."),
        ({"position": 99}, "Position 99 is not in this prompt, which has 15 tokens."),
        ({"row": 3}, "Prompt 3 is not in this run, which has 1."),
    ],
)
def test_what_is_not_there_is_said(open_views, chosen, sentence):
    assert sentence in say(open_views(models(chosen=chosen)))


def test_a_layer_without_heads_is_said(open_views):
    page = open_views(models(answer({"card/0/L3H0/14": "Layer 3 has no attention heads."})))
    assert say(page) == "Layer 3 has no attention heads."


def test_without_a_kernel_another_head_says_so(open_views):
    page = open_views(models(chosen={"head": [1, 1]}), kernel=False)
    assert say(page) == "L1H1 needs a kernel: open the notebook to see it."


def test_a_card_of_an_older_run_is_not_shown(open_views):
    page = open_views(models(card(run=6)))
    assert page.locator(".rs-readout").count() == 0
    set_state(page, "readout", _answer=card())
    page.locator(".rs-readout").wait_for()


def test_an_effect_read_elsewhere_says_where(open_views):
    page = open_views(models(card(position=4), chosen={"position": 4}))
    assert say(page).endswith("by which ·Mary beats ·John where the target is read.")
