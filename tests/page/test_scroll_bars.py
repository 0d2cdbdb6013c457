"""Where scroll bars take room, as on most desktops, nothing that scrolls loses any of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import launch

from .conftest import make_run, payload, selection, status, view

WORDS = ("Mary", " and", " extraordinarily", " a", " gave", " Wednesday", " to", " the", " store", ",")


@pytest.fixture(scope="module")
def browser(browser):
    with_bars = launch(browser.browser_type, scroll_bars=True)
    yield with_bars
    with_bars.close()


def test_a_scroll_bar_takes_room_here(open_views):
    page = open_views([])
    page.evaluate("document.body.innerHTML = '<div style=\"width: 90px; height: 9px; overflow: scroll\"></div>'")
    assert page.evaluate("document.querySelector('div').clientWidth") < 85


def long_prompt(length=900):
    """A strip of random words, of which a line breaks wherever a chip is a letter too narrow."""
    run = make_run()
    drawn = np.random.default_rng(0).integers(len(WORDS), size=length).tolist()
    row = run["rows"][0] | {"ids": drawn, "target_position": length - 1}
    run |= {"rows": [row], "texts": dict(enumerate(WORDS)), "specials": []}
    inputs = {"prompts": ["".join(WORDS[id] for id in drawn)], "answers": None, "own": True}
    sent = payload({}, inputs=inputs, presets=[], colour="none", unit="logits", called="", refused=None)
    return [selection(), status(run), view("token_strip", "strip", _data=sent, _edit=None, _refused=None)]


# Of each chip that is drawn: whether it is one line high and all its letters are inside the strip.
BROKEN = """strip => [...strip.querySelectorAll(".rs-chip")].filter((chip) => {
  const { right, height } = chip.getBoundingClientRect();
  const inside = strip.getBoundingClientRect().left + strip.clientLeft + strip.clientWidth;
  return height > 26 || right > inside || chip.scrollWidth > chip.clientWidth;
}).map((chip) => chip.textContent)"""


@pytest.mark.parametrize("width", [720, 431])
def test_no_line_of_a_long_prompt_breaks_at_any_scroll_position(open_views, width):
    page = open_views(long_prompt(), width=width)
    strip = page.locator(".rs-strip-rows")
    assert strip.evaluate("(el) => el.offsetWidth - el.clientWidth") > 5, "its scroll bar takes room"
    for tenth in range(10):
        strip.evaluate("(el, tenth) => { el.scrollTop = tenth / 9 * (el.scrollHeight - el.clientHeight); }", tenth)
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert strip.evaluate(BROKEN) == []
    assert strip.evaluate("(el) => el.scrollWidth <= el.clientWidth")


def test_its_lines_follow_the_width_of_the_view(open_views):
    page = open_views(long_prompt(), width=720)
    strip = page.locator(".rs-strip-rows")
    before = strip.evaluate("(el) => el.scrollHeight")
    page.set_viewport_size({"width": 500, "height": 480})
    page.wait_for_function("before => document.querySelector('.rs-strip-rows').scrollHeight > before", arg=before)
    assert strip.evaluate(BROKEN) == []
