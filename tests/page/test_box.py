"""Rows, columns and the workbench, in a browser."""

import numpy as np

from .conftest import STATIC, make_run, screenshot, selection, set_state, status, view
from .painted import shows
from .test_attention_pattern import WEIGHTS, data
from .test_head_attribution import EFFECTS
from .test_head_attribution import data as effects
from .test_linking import click_head


def box(id, children, layout="row", areas=()):
    css = (STATIC / "box.css").read_text()
    refs = [f"anywidget:{child}" for child in children]
    state = {"children": refs, "_layout": layout, "_areas": list(areas)}
    return {"id": id, "esm": "/box.js", "css": css, "state": state}


def models(*boxes):
    heads = view("head_attribution", "heads", _data=effects(values=np.stack([EFFECTS])))
    pattern = view("attention_pattern", "pattern", _data=data(), _answer={"$bytes": ""})
    rest = [view("head_attribution", id, _data=heads["state"]["_data"]) for id in ("strip", "lens")]
    return [heads, pattern, *rest, *boxes, selection(head=[3, 1]), status(make_run())]


def workbench():
    areas = ["strip", "heads", "pattern", "lens"]
    return models(box("bench", areas, "workbench", areas))


def places(page):
    """Left, top and width of each slot, in order."""
    boxes = [slot.bounding_box() for slot in page.locator(".rs-slot").all()]
    return [(round(one["x"]), round(one["y"]), round(one["width"])) for one in boxes]


def test_a_wide_workbench_puts_heads_and_pattern_side_by_side(open_views):
    page = open_views(workbench(), shown=["bench"], width=1300, height=1000)
    page.get_by_text("L3H1 at ·to").wait_for()
    strip, heads, pattern, lens = places(page)
    assert strip[0] == heads[0] == lens[0] == 16
    assert strip[2] == lens[2] == 1300 - 32
    assert strip[1] < heads[1] == pattern[1] < lens[1]
    assert pattern[0] == heads[0] + heads[2] + 16
    assert abs(heads[2] / pattern[2] - 5 / 4) < 0.01
    screenshot(page, "workbench-wide")


def test_a_narrow_workbench_is_one_column_in_the_same_order(open_views):
    page = open_views(workbench(), shown=["bench"], width=1000)
    page.get_by_text("L3H1 at ·to").wait_for()
    found = places(page)
    assert {(left, width) for left, _, width in found} == {(16, 1000 - 32)}
    tops = [top for _, top, _ in found]
    assert tops == sorted(set(tops))


def test_a_click_in_a_workbench_reaches_every_view(open_views):
    page = open_views(workbench(), shown=["bench"], width=1300, height=1000)
    page.get_by_text("L3H1 at ·to").wait_for()
    click_head(page, 0, 2)
    page.get_by_text("L0H2 at ·to").wait_for()
    assert shows(page, WEIGHTS[0, 2])


def test_a_row_wraps_and_a_column_stacks(open_views):
    page = open_views(models(box("row", ["heads", "pattern"])), shown=["row"], width=900)
    first, second = places(page)
    assert first[1] == second[1]
    assert second[0] == first[0] + first[2] + 16
    page.set_viewport_size({"width": 600, "height": 800})
    first, second = places(page)
    assert first[0] == second[0]
    assert first[2] == second[2] == 600 - 32

    page = open_views(models(box("col", ["heads", "pattern"], "column")), shown=["col"], width=900)
    first, second = page.locator(".rs-slot").all()
    upper, lower = first.bounding_box(), second.bounding_box()
    assert lower["y"] == upper["y"] + upper["height"] + 16


def test_boxes_hold_boxes(open_views):
    inner = box("inner", ["heads", "strip"], "column")
    page = open_views(models(inner, box("outer", ["inner", "pattern"])), shown=["outer"])
    page.get_by_text("L3H1 at ·to").wait_for()
    assert page.locator(".rs-view").count() == 3


def test_a_child_that_fails_takes_no_other_down(open_views):
    broken = {"id": "broken", "esm": BROKEN, "css": "", "state": {}}
    row = box("row", ["gone", "heads", "broken", "pattern"], "column")
    page = open_views([broken, *models(row)], shown=["row"])
    page.get_by_text("L3H1 at ·to").wait_for()
    assert page.locator(".rs-refused").all_inner_texts() == [
        "This view cannot be shown here: no model anywidget:gone.",
        "This view cannot be shown here: out of order.",
    ]
    assert page.locator(".rs-view").count() == 2
    assert page.locator(".rs-half").count() == 0


BROKEN = """
export default { render({ el }) {
  el.append(Object.assign(document.createElement("p"), { className: "rs-half" }));
  throw new Error("out of order");
} };
"""


def test_children_that_change_are_mounted_anew_and_old_ones_end(open_views):
    page = open_views(models(box("row", ["heads", "pattern"])), shown=["row"])
    page.get_by_text("L3H1 at ·to").wait_for()
    set_state(page, "row", children=["anywidget:pattern"])
    page.wait_for_function("document.querySelectorAll('.rs-view').length === 1")
    page.evaluate("window.residscope.close()")
    assert page.locator(".rs-box, .rs-view").count() == 0


# What JupyterLab's older hosts give: a manager, and no host.
BY_MANAGER = """
async (withManager) => {
  const { default: widget } = await import("/box.js");
  const el = document.body.appendChild(document.createElement("div"));
  const state = { children: ["anywidget:a"], _layout: "row", _areas: [] };
  const log = [];
  const manager = {
    get_model: async (id) => ({ id }),
    create_view: async ({ id }) => {
      const child = document.createElement("b");
      child.textContent = `view of ${id}`;
      return { el: child, remove: () => log.push("removed") };
    },
  };
  const model = {
    get: (key) => state[key], on() {}, off() {},
    widget_manager: withManager ? manager : undefined,
  };
  const closing = new AbortController();
  widget.render({ model, el, signal: closing.signal });
  await new Promise((done) => setTimeout(done, 50));
  const text = el.textContent;
  closing.abort();
  return [text, log, el.childElementCount];
}
"""


def test_without_a_host_the_manager_mounts_and_without_both_a_line_says_so(open_views):
    page = open_views([])
    assert page.evaluate(BY_MANAGER, True) == ["view of a", ["removed"], 0]
    line = "This view cannot be shown here: this page cannot nest widgets."
    assert page.evaluate(BY_MANAGER, False) == [line, [], 0]
