"""Views follow the host's theme at the change itself: here no timer of the page ever comes."""

from __future__ import annotations

import pytest

from .conftest import make_run, payload, selection, status, view

COLOURS = "--jp-layout-color0: #111; --jp-ui-font-color1: #eee"
DARK = f":root {{ {COLOURS} }}"
MARK = "document.body.dataset.jpThemeLight = 'false'"
LINK = """() => {
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: "/dark.css" });
  document.body.append(link);
}"""
STYLE = """css => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
}"""


@pytest.fixture
def page(open_views):
    inputs = {"prompts": ["When Mary"], "answers": None, "own": True}
    sent = payload({}, inputs=inputs, presets=[], colour="none", unit="logits", called="", refused=None)
    strip = view("token_strip", "strip", _data=sent, _edit=None, _refused=None)
    page = open_views([selection(), status(make_run()), strip])
    page.locator(".rs-view[data-theme='light']").wait_for()
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 60"))
    return page


def painted(page):
    return page.locator(".rs-view").evaluate("(view) => getComputedStyle(view).backgroundColor")


def test_a_mark_whose_style_is_in_the_page_is_followed(page):
    page.evaluate(STYLE, f"body[data-jp-theme-light='false'] {{ {COLOURS} }}")
    assert page.locator(".rs-view").get_attribute("data-theme") == "light"
    page.evaluate(MARK)
    assert page.locator(".rs-view").get_attribute("data-theme") == "dark"
    assert painted(page) == "rgb(17, 17, 17)"


@pytest.mark.parametrize("first", ["mark", "sheet"])
def test_a_style_sheet_is_followed_when_it_is_there(page, first):
    asked = []
    page.route("**/dark.css", lambda route: asked.append(route))
    steps = [lambda: page.evaluate(MARK), lambda: page.evaluate(LINK)]
    for step in steps if first == "mark" else reversed(steps):
        step()
    while not asked:
        page.wait_for_timeout(10)
    assert page.locator(".rs-view").get_attribute("data-theme") == "light"
    asked[0].fulfill(body=DARK, content_type="text/css")
    page.locator(".rs-view[data-theme='dark']").wait_for()
    assert painted(page) == "rgb(17, 17, 17)"


def test_a_style_that_is_written_into_the_page_is_followed(page):
    page.evaluate(STYLE, DARK)
    page.locator(".rs-view[data-theme='dark']").wait_for()


def test_a_view_that_was_out_of_the_page_follows_when_it_is_back(page):
    page.evaluate("() => { window.kept = document.querySelector('[data-model]'); window.kept.remove(); }")
    page.evaluate(STYLE, DARK)
    page.evaluate(MARK)
    assert page.evaluate("window.kept.querySelector('.rs-view').dataset.theme") == "light"
    page.clock.resume()
    page.evaluate("document.body.append(window.kept)")
    page.locator(".rs-view[data-theme='dark']").wait_for()
    assert painted(page) == "rgb(17, 17, 17)"
