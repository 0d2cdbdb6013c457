"""What is painted after the page has changed around a view: its theme, its pixels, its place."""

from __future__ import annotations

import pytest

from .states import PLACES, STATES, VIEWS

PAINTED = """
() => [...document.querySelectorAll(".rs-view canvas")].map((canvas) => {
  return `${canvas.style.width} ${canvas.style.height} ${canvas.toDataURL()}`;
})
"""
# Letters are drawn otherwise by another scale of the page than by another screen.
CELLS = """
() => [...document.querySelectorAll(".rs-view canvas")].map((canvas) => {
  const hasLetters = canvas.closest(".rs-lens-window") || canvas.previousElementSibling?.matches("canvas");
  return `${canvas.width} ${canvas.height} ${hasLetters ? "" : canvas.toDataURL()}`;
})
"""


def views(open_views, state="current", **how):
    """A page with all views, and what it looks like when all is painted."""
    page = open_views(STATES[state].models(*VIEWS), height=900, **how)
    page.wait_for_function("[...document.querySelectorAll('.rs-view')].every((view) => view.dataset.theme)")
    return page


def becomes(page, expected, what=PAINTED):
    """Wait until all canvases are painted as on another page."""
    page.wait_for_function(f"(expected) => JSON.stringify(({what})()) === JSON.stringify(expected)", arg=expected)


@pytest.mark.parametrize("width", [480, 960, 1280])
def test_another_theme_repaints_everything_and_moves_nothing(open_views, width):
    light, dark = (views(open_views, width=width, dark=dark) for dark in (False, True))
    before = {"light": light.evaluate(PAINTED), "dark": dark.evaluate(PAINTED)}
    places = light.evaluate(PLACES)
    assert before["light"] != before["dark"]
    for theme in ("dark", "light", "dark"):
        light.emulate_media(color_scheme=theme)
        becomes(light, before[theme])
        assert light.evaluate(PLACES) == places


@pytest.mark.parametrize("state", ["current", "long prompt"])
def test_another_pixel_ratio_repaints_everything_crisp(open_views, state):
    page, other = views(open_views, state, ratio=1), views(open_views, state, ratio=2)
    session = page.context.new_cdp_session(page)
    expected = {1: page.evaluate(CELLS), 2: other.evaluate(CELLS)}
    for ratio in (2, 1, 2):
        # A headless browser tells of another ratio only with another size.
        for width in (700, 720):
            viewport = {"width": width, "height": 900, "mobile": False, "deviceScaleFactor": ratio}
            session.send("Emulation.setDeviceMetricsOverride", viewport)
            page.wait_for_function("(width) => innerWidth === width", arg=width)
        becomes(page, expected[ratio], CELLS)


BLANK = """
() => {
  for (const canvas of document.querySelectorAll(".rs-view canvas")) {
    canvas.getContext("2d").clearRect(0, 0, 1e5, 1e5);
  }
}
"""


def test_what_comes_back_into_sight_is_painted_again(open_views):
    page = views(open_views)
    painted = page.evaluate(PAINTED)
    page.evaluate("document.body.style.paddingTop = '9000px'")
    page.evaluate(BLANK)
    for element in page.locator("canvas:first-of-type").all():
        element.scroll_into_view_if_needed()
    becomes(page, painted)
    # A notebook takes cells out of the page, and puts them back.
    page.evaluate("window.taken = [...document.body.children]; document.body.replaceChildren()")
    page.evaluate("document.body.replaceChildren(...window.taken)")
    page.evaluate(BLANK.replace("document", "document.body"))
    for element in page.locator("canvas:first-of-type").all():
        element.scroll_into_view_if_needed()
    becomes(page, painted)
