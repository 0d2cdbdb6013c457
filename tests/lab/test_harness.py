"""The harness on a widget of its own: what fails here is JupyterLab, not a view."""

from __future__ import annotations

import pytest

from tests.lab.harness import BUSY_UNTIL_TOLD, CellError, Lab

WIDGET = """
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
      const button = document.createElement("button");
      const show = () => { button.textContent = `count ${model.get("count")}`; };
      button.className = "counter";
      button.addEventListener("click", () => {
        model.set("count", model.get("count") + 1);
        model.save_changes();
      });
      model.on("change:count", show);
      show();
      el.append(button);
    } };
    '''
    count = traitlets.Int(0).tag(sync=True)

counter = Counter()
"""


def test_a_widget_shows_and_a_click_reaches_the_kernel(lab: Lab):
    page = lab.open([WIDGET, "counter"])
    lab.run_all()
    button = page.locator(".counter")
    assert button.inner_text() == "count 0"
    lab.sent.clear()
    button.click()
    page.wait_for_function("() => document.querySelector('.counter').textContent === 'count 1'")
    assert lab.execute("counter.count") == "1"
    assert any("count" in str(message) for message in lab.sent)


def test_a_cell_runs_while_the_page_goes_on(lab: Lab):
    page = lab.open([f"{WIDGET}\ncounter", f"{BUSY_UNTIL_TOLD}\nprint('told')"])
    lab.run_cell_without_waiting(0)
    button = page.locator(".counter")
    button.wait_for()
    lab.run_cell_without_waiting(1)
    button.click()
    assert button.inner_text() == "count 1"
    assert page.get_by_text("told", exact=True).count() == 0
    lab.tell_cell()
    assert lab.execute("counter.count") == "1"
    page.get_by_text("told", exact=True).wait_for()


def test_a_failing_cell_is_reported(lab: Lab):
    lab.open(["1 / 0"])
    with pytest.raises(CellError, match=r"cell 0:(.|\n)*ZeroDivisionError"):
        lab.run_all()
    with pytest.raises(CellError, match="NameError"):
        lab.execute("unknown")


def test_a_request_beyond_the_server_is_refused_and_recorded(server):
    lab = server.lab()
    try:
        page = lab.open([])
        refused = page.evaluate("() => fetch('http://example.invalid/x').catch(e => e.name)")
        assert refused == "TypeError"
        assert lab.outside == ["http://example.invalid/x"]
    finally:
        lab.close()


def test_themes(lab: Lab):
    page = lab.open([])
    lab.theme("dark")
    assert page.get_attribute("body", "data-jp-theme-light") == "false"
    lab.theme("light")
    assert lab.screenshot("harness").stat().st_size > 0
