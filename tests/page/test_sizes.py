"""The views at every size: windows from a phone to a wall, pixel ratios, zoom, and the size of what is pressed."""

from __future__ import annotations

import pytest

from . import test_logit_lens
from .conftest import make_run, screenshot, selection, status, view
from .states import PLACES, STATES, VIEWS
from .test_box import box

WIDTHS = [320, 480, 768, 1280, 2560]
SHOWN = ["current", "help", "menu", "editing", "failed check", "several prompts", "long prompt", "deep model"]

# The views measure themselves in the frame after a change.
SETTLE = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"

MEASURE = """
([least, ratio]) => {
  const problems = new Set();
  const scrollsIn = (element, view) => {
    for (let at = element.parentElement; at && at !== view; at = at.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(at).overflowX)) return true;
    }
    return false;
  };
  const name = (element) => {
    const words = (element.getAttribute("aria-label") ?? element.textContent ?? "").trim().slice(0, 30);
    return `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""} '${words}'`;
  };
  if (document.documentElement.scrollWidth > innerWidth) problems.add("the page scrolls sideways");
  for (const view of document.querySelectorAll(".rs-view")) {
    const { model, area } = view.parentElement.dataset;
    const say = (what, element) => problems.add(`${model ?? area}: ${what}: ${name(element)}`);
    const all = view.getBoundingClientRect();
    for (const element of view.querySelectorAll("*")) {
      const box = element.getBoundingClientRect();
      if (!box.width || element.closest(".rs-unseen, bdi") || scrollsIn(element, view)) continue;
      const out = Math.max(all.left - box.left, box.right - all.right, box.bottom - all.bottom, all.top - box.top);
      if (out > 0.5) say(`sticks out by ${out.toFixed(1)} px`, element);
      const style = getComputedStyle(element);
      if (element.scrollWidth > element.clientWidth + 1 && !/visible|inline/.test(style.overflowX + style.display)) {
        if (!element.matches(".rs-lens-scroll")) say("is cut", element);
      }
      const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (hasText && parseFloat(style.fontSize) < 11) say(`text of ${style.fontSize}`, element);
    }
    for (const canvas of view.querySelectorAll("canvas")) {
      const [width, height] = ["width", "height"].map((side) => parseFloat(canvas.style[side]) * ratio);
      if (canvas.width !== Math.round(width) || canvas.height !== Math.round(height)) say("is not crisp", canvas);
    }
    for (const target of view.querySelectorAll("button, input, select, summary, [role=application]")) {
      const pressed = target.closest("label") ?? target;
      target.scrollIntoView({ block: "center" });
      const { left, top, width, height } = pressed.getBoundingClientRect();
      const [x, y] = [left + width / 2, top + height / 2];
      const reach = least / 2 - 1;
      for (const [dx, dy] of [[-reach, 0], [reach, 0], [0, -reach], [0, reach]]) {
        const hit = document.elementFromPoint(x + dx, y + dy);
        // An open menu may lie over others.
        if (!hit || !(pressed.contains(hit) || hit.closest("[role=menu]"))) {
          say(`is pressed on less than ${least} px, ${width.toFixed()} by ${height.toFixed()}`, target);
          break;
        }
      }
    }
  }
  scrollTo(0, 0);
  return [...problems];
}
"""


def measured(page, least=24):
    page.evaluate(SETTLE)
    return page.evaluate(MEASURE, [least, page.evaluate("devicePixelRatio")])


@pytest.mark.parametrize("state", SHOWN)
def test_nothing_sticks_out_or_is_cut_at_any_width(open_views, state):
    shown = STATES[state]
    page = open_views(shown.models(*shown.views()), width=WIDTHS[0], height=900)
    found = []
    for names in shown.enter(page):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            problems = [one for one in measured(page) if one.startswith((*names, "the page"))]
            found += [f"{width} px: {one}" for one in problems]
            if width in (WIDTHS[0], WIDTHS[-1]):
                screenshot(page, f"sizes-{state}-{width}", whole=True)
    assert found == [], "\n".join(found)


def short_words():
    """The lens of a prompt of short words, which fits beside its list in a wide window alone."""
    texts = {str(id): f" {letter}" for id, letter in enumerate("abcdefghijklmnopqrstuvwxyz" * 2, 100)}
    run = make_run()
    lens = VIEWS["logit_lens"](run, {}, True) | {"_data": test_logit_lens.data(texts=texts)}
    return [view("logit_lens", "logit_lens", **lens), selection(depth=9), status(run)]


@pytest.mark.parametrize(("width", "beside"), [(800, False), (960, False), (1100, True)])
def test_the_lens_scrolls_only_where_it_must_and_its_list_stays_in_place(open_views, width, beside):
    page = open_views(short_words(), width=width, height=700)
    page.evaluate(SETTLE)
    scrolls = "(grid) => grid.scrollWidth > grid.clientWidth"
    assert not page.get_by_role("grid").evaluate(scrolls)
    grid, list_ = page.get_by_role("grid").bounding_box(), page.locator(".rs-lens-guesses").bounding_box()
    assert (list_["y"] < grid["y"] + grid["height"]) == beside
    # A scroll bar of the page appears, a moment before the view can know.
    below = """() => {
      document.body.style.paddingRight = "15px";
      return document.querySelector(".rs-lens-guesses").getBoundingClientRect().top;
    }"""
    assert page.evaluate(below) == list_["y"]


AREAS = {
    **{"token_strip": "strip", "head_attribution": "heads", "attention_pattern": "pattern", "head_readout": "readout"},
    **{"logit_lens": "lens", "layer_attribution": "layers", "head_grid": "maps"},
}


def test_a_workbench_fits_every_width(open_views):
    state = STATES["current"]
    bench = box("bench", list(AREAS), "workbench", AREAS.values())
    page = open_views([*state.models(*AREAS), bench], width=WIDTHS[0], height=900, shown=["bench"])
    page.locator(".rs-frame").nth(len(AREAS) - 1).wait_for()
    # On either side of where its columns part, too.
    for width in (*WIDTHS, 1031, 1033):
        page.set_viewport_size({"width": width, "height": 900})
        found = measured(page)
        assert found == [], "\n".join([f"{width} px", *found])
        screenshot(page, f"sizes-workbench-{width}", whole=True)


def test_fingers_have_larger_targets(open_views):
    page = open_views(STATES["several prompts"].models(*VIEWS), width=320, height=900, touch=True)
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        found = measured(page, least=44)
        assert found == [], "\n".join(found)


@pytest.mark.parametrize("ratio", [1, 1.5, 2, 3])
def test_canvases_are_crisp_at_every_pixel_ratio(open_views, ratio):
    page = open_views(STATES["current"].models(*VIEWS), width=321, height=900, ratio=ratio)
    # A window of 640 px at ratio 2 is one of 1280 px at a zoom of 200 %.
    for width in (321, 640, 1283):
        page.set_viewport_size({"width": width, "height": 900})
        found = measured(page)
        assert found == [], "\n".join(found)


@pytest.mark.parametrize("width", [320, 1280])
def test_the_order_in_which_views_bring_their_styles_changes_nothing(open_views, width):
    models = STATES["current"].models(*VIEWS)
    places = []
    for order in (models, models[::-1]):
        page = open_views(order, width=width, height=900, shown=list(VIEWS))
        page.evaluate(SETTLE)
        places.append(page.evaluate(PLACES))
    assert places[0] == places[1]
