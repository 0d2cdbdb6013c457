"""Heads switched off in a real JupyterLab: by key, button and chip, and never at the cost of a cell."""

import json

import pytest

from residscope.export.words import number
from tests.lab.workbench import python

SETUP = """
import residscope as rs
prompt = "When Mary and John went to the store, John gave a drink to"
exp = rs.Experiment(rs.load_model("demo"), prompt, (" Mary", " John"))
exp.selection.update(head="2.0")
"""
VIEWS = "rs.Column([rs.TokenStrip(exp), rs.HeadAttribution(exp), rs.LayerAttribution(exp), rs.HeadReadout(exp)])"

CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map(cell => cell.source)"
COUNTS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].map(cell => cell.executionCount)"""


@pytest.fixture
def page(lab):
    page = lab.open([SETUP, VIEWS])
    lab.run_all()
    page.locator(".rs-say", has_text="L2H0 adds").wait_for()
    return page


def frame(page, title):
    return page.locator(".rs-frame").filter(has=page.get_by_role("heading", name=title, exact=True))


def runs(page, run):
    """Wait until all views show a run."""
    frame(page, "Layers").locator(".rs-run", has_text=f"run {run}").wait_for()
    frame(page, "Prompt").locator(".rs-run", has_text=f"run {run}").wait_for()
    frame(page, "Heads").locator(".rs-run", has_text=f"run {run}").wait_for()


def interventions(lab):
    return lab.execute("print(exp.interventions)").strip()


def test_x_switches_the_selected_head_off_and_on_and_every_view_answers(lab, page):
    heads = frame(page, "Heads")
    heads.get_by_role("grid").focus()
    page.keyboard.press("x")
    runs(page, 2)
    assert interventions(lab) == "(rs.Ablation('L2H0'),)"
    value, before, answered = python(
        lab, "[float(exp.trace.target_value[0]), float(exp.baseline.target_value[0]), exp.trace.what_answered()]"
    )
    facts = frame(page, "Prompt").locator(".rs-facts").inner_text()
    assert f"{number(before)} → {number(value)}, {number(value - before, sign=True)} logits" in facts
    assert "KL" in facts
    assert frame(page, "Prompt").locator(".rs-intervention").inner_text().startswith("L2H0 off")
    assert f"among later parts {answered[0][0]} changed most" in frame(page, "Prompt").locator(".rs-say").inner_text()
    assert frame(page, "Head").get_by_role("button", name="switch on").count() == 1
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"switched-off-{theme}")
    # While b is held all views show what was before, and then what they showed.
    heads.get_by_role("grid").focus()
    page.keyboard.down("b")
    frame(page, "Layers").locator(".rs-what", has_text="before").wait_for()
    page.keyboard.up("b")
    frame(page, "Layers").locator('.rs-what:not(:has-text("before"))').wait_for()
    heads.get_by_role("button", name="change").click()
    frame(page, "Layers").locator(".rs-what", has_text="change").wait_for()
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"change-{theme}")
    heads.get_by_role("button", name="now").click()
    frame(page, "Head").get_by_role("button", name="switch on").click()
    runs(page, 3)
    assert interventions(lab) == "()"
    assert page.locator(".rs-intervention").count() == 0
    frame(page, "Prompt").get_by_role("button", name="back to the previous run").click()
    runs(page, 4)
    assert interventions(lab) == "(rs.Ablation('L2H0'),)"
    assert [text for kind, text in lab.console if kind == "error"] == []


def test_a_chip_changes_kind_and_dose_and_is_taken_back(lab, page):
    lab.execute("exp.ablate(['L3H0', 'L2.mlp']); exp.wait()")
    chip = frame(page, "Prompt").locator(".rs-intervention")
    chip.locator("select").select_option("zero")
    runs(page, 3)
    assert interventions(lab) == "(rs.Ablation(['L3H0', 'L2.mlp'], kind='zero'),)"
    dose = chip.locator("input")
    dose.focus()
    page.keyboard.press("End")
    runs(page, 4)
    assert interventions(lab) == "(rs.Ablation(['L3H0', 'L2.mlp'], kind='zero', dose=2),)"
    chip.locator("select").select_option("resample")
    frame(page, "Heads").locator(".rs-error", has_text="nothing to resample row 0 from").wait_for()
    assert python(lab, "exp.status.run") == 4
    chip.get_by_role("button", name="undo").click()
    runs(page, 5)
    assert interventions(lab) == "()"


def test_the_card_says_what_switching_its_head_off_costs(lab, page):
    head = frame(page, "Head")
    head.get_by_role("button", name="what switching it off costs").click()
    head.locator(".rs-causal").wait_for()
    before, off = python(lab, "[exp.trace.target_value.item(), exp.run(ablate='L2H0').target_value.item()]")
    assert f"switched off it costs {number(before - off, sign=True)} (mean)" in head.locator(".rs-causal").inner_text()
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"causal-{theme}")


KEYS = ["x", "b", "p", "Enter", "Escape", "ArrowUp", "ArrowLeft", "Home", "End", " ", "e", "c", "v", "z", "a"]


def test_no_key_of_ours_cuts_copies_or_runs_a_cell_in_command_mode(lab, page):
    cells, counts = page.evaluate(CELLS), page.evaluate(COUNTS)
    stops = page.locator(".rs-view :is([tabindex='0'], button:not([disabled]))")
    views = page.locator(".rs-view")
    assert stops.count() > 8
    # The notebook is in command mode when no editor of a cell has the focus.
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.mode = 'command'; }")
    for at in range(stops.count()):
        stop = stops.nth(at)
        if stop.count() == 0 or not stop.is_visible():
            continue
        stop.focus()
        for key in KEYS:
            page.keyboard.press(key)
            if page.locator(".rs-view [role=menu]").count():
                page.keyboard.press("Escape")
    # A click on what takes no focus itself gives it to the view.
    views.first.click(position={"x": 4, "y": 4})
    page.keyboard.press("x")
    lab.execute("exp.wait()")
    assert page.evaluate(CELLS) == cells
    assert page.evaluate(COUNTS) == counts
    assert json.loads(json.dumps(cells))[0].strip().startswith("import residscope")
