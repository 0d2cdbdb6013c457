"""What a cell leaves behind when it is run again, when the kernel goes, and when the notebook is opened without one."""

import json

import nbformat
import pytest

from tests.browser import profile
from tests.kernels import FORKED
from tests.lab.workbench import python
from tests.waits import LONGEST

MODEL = 'import residscope as rs\nmodel = rs.load_model("demo")'
BENCH = 'exp = rs.Experiment(model, "When Mary and John went to the store, John gave a drink to", (" Mary", " John"))\n'
COUNT = """
import gc, threading
from comm import get_comm_manager
from ipywidgets.widgets.widget import _instances
from residscope.runs.trace import Trace

def held():
    gc.collect()
    return {
        "widgets": len(_instances),
        "comms": len(get_comm_manager().comms),
        "threads": sum(thread.name == "residscope" for thread in threading.enumerate()),
        "traces": sum(type(thing) is Trace for thing in gc.get_objects()),
    }
"""


def test_running_a_cell_again_closes_what_it_made_before_and_leaks_nothing(lab):
    page = lab.open([MODEL + COUNT, BENCH + "rs.Row([rs.HeadAttribution(exp), rs.AttentionPattern(exp)])"])
    lab.run_all()
    page.locator(".rs-map").first.wait_for()
    first = python(lab, "held()")
    assert (first["threads"], first["traces"]) == (1, 1)
    for _ in range(50):
        lab.run_cell(1)
    page.locator(".rs-map").first.wait_for()
    assert python(lab, "held()") == first
    assert page.locator(".rs-row").count() == 1
    page.locator(".rs-strongest button").nth(1).click()
    name = page.locator(".rs-strongest button").nth(1).locator("span").first.inner_text()
    page.locator(".rs-say", has_text=f"{name} at").first.wait_for()
    assert python(lab, "'L%dH%d' % exp.selection.head") == name
    # What the notebook remembers of the cells' results holds no run.
    lab.execute("del exp; held()")
    assert python(lab, "len([one for one in Out.values() if isinstance(one, rs.Row)])") > 40


def test_views_of_another_cell_outlive_the_box_that_showed_them(lab):
    page = lab.open([MODEL, BENCH + "heads, pattern = rs.HeadAttribution(exp), rs.AttentionPattern(exp)",
                     "rs.Row([heads, pattern])"])  # fmt: skip
    lab.run_all()
    page.locator(".rs-row .rs-frame").nth(1).wait_for()
    lab.run_cell(2)
    page.locator(".rs-row .rs-frame").nth(1).wait_for()
    assert python(lab, "heads.comm is not None and pattern.comm is not None")
    lab.run_cell(1)
    assert python(lab, "heads.comm is not None")


@pytest.mark.parametrize("way", ["restarted", "gone"])
def test_when_the_kernel_goes_the_views_say_so_and_still_show_and_select(lab, way):
    page = lab.open([MODEL, BENCH + "rs.Row([rs.TokenStrip(exp), rs.HeadAttribution(exp), rs.AttentionPattern(exp)])"])
    lab.run_all()
    page.locator(".rs-strongest button").first.click()
    page.locator(".rs-say", has_text="L3H0 at").wait_for()
    lab.kernel(way)
    page.locator(
        ".rs-warning", has_text="The kernel is gone: run the cell again. This view still shows run 1."
    ).first.wait_for()
    page.locator(".rs-strongest button", has_text="L1H2").click()
    page.locator(".rs-say", has_text="L1H2 at").wait_for()
    edit = page.get_by_role("button", name="edit")
    assert edit.is_disabled()
    assert edit.get_attribute("title") == "the kernel is gone: run the cell again"
    lab.screenshot(f"kernel-{way}")


def test_the_buttons_go_back_and_forward(lab):
    page = lab.open([MODEL, BENCH + "rs.Row([rs.TokenStrip(exp), rs.HeadAttribution(exp)])"])
    lab.run_all()
    back, forward = (
        page.get_by_role("button", name=name) for name in ("back to the previous run", "forward to the next")
    )
    assert back.is_disabled()
    lab.execute(
        "exp.update(prompts='When Tom and Anna went to the park, Anna gave a book to', answers=(' Tom', ' Anna'))"
    )
    page.locator(".rs-run", has_text="run 2").first.wait_for()
    back.click()
    page.locator(".rs-run", has_text="run 3").first.wait_for()
    assert python(lab, "exp.prompts[0]").startswith("When Mary")
    assert python(lab, "exp.trace.target.names") == ["' Mary' − ' John'"]
    assert back.is_disabled()
    forward.click()
    page.locator(".rs-run", has_text="run 4").first.wait_for()
    assert python(lab, "exp.prompts[0]").startswith("When Tom")


def outputs(lab):
    notebook = nbformat.read(lab.server.root / "Test.ipynb", as_version=4)
    return notebook, [output.data for output in notebook.cells[-1].outputs]


def test_a_saved_notebook_shows_its_pictures_without_a_kernel_and_with_a_fresh_one(lab):
    page = lab.open([MODEL, BENCH + "exp.selection.update(head='3.0')\nrs.Workbench(exp)"])
    lab.run_all()
    page.locator(".rs-small-map").first.wait_for()
    assert not page.locator(".rs-still").is_visible(), "the widget lives"
    value = python(lab, "f'{float(exp.trace.target_value[0]):.2f}'")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    notebook, (widget, still) = outputs(lab)
    assert "widgets" not in notebook.metadata
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert {"text/plain", "text/html", "image/png"} == still.keys()
    assert len(json.dumps(still)) < 600_000
    for kernel in ("fresh", "none"):
        lab.reopen("Test.ipynb", kernel=kernel == "fresh")
        picture = lab.page.locator(".rs-still img")
        picture.wait_for()
        lab.page.wait_for_function("() => document.querySelector('.rs-still img').naturalWidth > 600")
        assert f"·Mary − ·John = {value} logits" in picture.get_attribute("alt")
        assert lab.page.locator(".rs-frame").count() == 0
        assert not lab.page.get_by_text("Error displaying widget").last.is_visible()
        lab.screenshot(f"reopened-{kernel}")


def test_converted_by_nbconvert_and_read_without_scripts_it_shows_the_same(lab, browser, tmp_path):
    from nbconvert import HTMLExporter

    page = lab.open([MODEL, BENCH + "exp.selection.update(head='3.0')\nrs.HeadAttribution(exp)"])
    lab.run_all()
    page.locator(".rs-map").wait_for()
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    html, _ = HTMLExporter().from_filename(str(lab.server.root / "Test.ipynb"))
    context = profile(browser, java_script_enabled=False, offline=True)
    try:
        plain = context.new_page()
        plain.set_content(html)
        picture = plain.locator(".rs-still img")
        picture.wait_for()
        assert "logits by which ·Mary beats ·John" in picture.get_attribute("alt")
        box = picture.bounding_box()
        assert box["width"] > 600
        assert box["height"] > 200
        plain.screenshot(path="test-output/nbconvert.png")
    finally:
        context.close()


def test_executed_and_converted_in_one_go_it_shows_its_pictures_too(browser, kernels):
    """nbconvert --execute keeps the widgets' state, whose scripts come from a network that a reader may not have."""
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    cells = [MODEL, BENCH + "exp.selection.update(head='3.0')\nrs.HeadAttribution(exp)", "rs.AttentionPattern(exp)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=LONGEST, startup_timeout=LONGEST, kernel_name=FORKED).execute()
    assert "widgets" in notebook.metadata
    html, _ = HTMLExporter().from_notebook_node(notebook)
    for scripts in (True, False):
        context = profile(browser, java_script_enabled=scripts, offline=True)
        try:
            page = context.new_page()
            page.set_content(html, wait_until="domcontentloaded")
            for number, said in ((0, "logits by which ·Mary beats ·John"), (1, "L3H0 at ·to (14) looks most at")):
                picture = page.locator(".rs-still img").nth(number)
                picture.wait_for()
                assert said in picture.get_attribute("alt")
                assert picture.bounding_box()["height"] > 150
        finally:
            context.close()
