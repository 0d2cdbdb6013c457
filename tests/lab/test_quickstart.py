"""The quickstart in a real JupyterLab: what a person does first, and what Python then holds."""

from pathlib import Path

import pytest

from tests.lab.harness import BUSY_UNTIL_TOLD, SCREENSHOTS
from tests.lab.workbench import ALL_AFTER, bench, edit, frame, painted, pattern, python, run_shown, say
from tests.page.painted import shows

NOTEBOOK = Path(__file__).parents[2] / "notebooks/01_quickstart.ipynb"
STORE = "When Mary and John went to the store, John gave a drink to"

SIDE_BY_SIDE = """() => {
  const [, heads, pattern, readout, lens] = [...document.querySelectorAll(".rs-workbench .rs-frame")]
    .map(frame => frame.getBoundingClientRect());
  return heads.top === pattern.top && heads.right < pattern.left && readout.top > heads.bottom
    && readout.right < pattern.left && lens.top > Math.max(pattern.bottom, readout.bottom);
}"""


@pytest.fixture(scope="module")
def quickstart(fresh_lab):
    """The notebook, run from top to bottom by a kernel that imports everything itself."""
    fresh_lab.open(NOTEBOOK, kernel="python3")
    fresh_lab.run_all()
    fresh_lab.errors_at_first = [text for kind, text in fresh_lab.console if kind == "error"]
    yield fresh_lab
    assert fresh_lab.outside == []


@pytest.fixture
def lab(quickstart):
    """The notebook, set back to its first question."""
    quickstart.execute(
        f"exp.update(prompts={STORE!r}, answers=(' Mary', ' John')); exp.trace\n"
        "exp.selection.update(head='1.1', depth=8, position=None, key=None, row=None, pinned=[])"
    )
    bench(quickstart)
    return quickstart


def test_it_runs_from_top_to_bottom(lab):
    assert lab.errors_at_first == []
    for theme in ("dark", "light"):
        lab.theme(theme)
        bench(lab)
        lab.screenshot(f"quickstart-{theme}")
    titles = bench(lab).get_by_role("heading", level=3).all_inner_texts()
    assert titles == ["Prompt", "Heads", "Attention", "Head", "Logit lens", "Layers", "Head maps"]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_workbench_uses_a_wide_page(lab, theme):
    size = lab.page.viewport_size
    lab.theme(theme)
    lab.page.set_viewport_size({"width": 1720, "height": 1900})
    try:
        strongest = frame(lab, "Heads").locator(".rs-strongest button").first
        strongest.click()
        lab.page.wait_for_function(SIDE_BY_SIDE)
        lab.page.mouse.move(0, 0)
        bench(lab).screenshot(path=SCREENSHOTS / f"workbench-{theme}.png")
    finally:
        lab.page.set_viewport_size(size)


def test_a_click_on_a_head_paints_that_heads_pattern(lab):
    grid = frame(lab, "Heads").get_by_role("grid")
    box = grid.bounding_box()
    seen = set()
    for across, down in ((0.3, 0.2), (0.6, 0.5), (0.8, 0.7)):
        lab.page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
        head = tuple(python(lab, "list(exp.selection.head)"))
        assert painted(lab, head)
        seen.add(head)
    assert len(seen) == 3


def test_a_click_is_answered_while_a_cell_runs(lab):
    other = pattern(lab, (2, 3))
    strong = frame(lab, "Heads").locator(".rs-strongest button").first
    name = strong.locator("span").first.inner_text()
    head = tuple(int(part) for part in name[1:].split("H"))
    true = pattern(lab, head)
    lab.page.evaluate(
        """code => {
          const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
          window.ended = false;
          const future = kernel.requestExecute({ code });
          window.running = future.done.then(() => { window.ended = true; });
        }""",
        BUSY_UNTIL_TOLD,
    )
    strong.click()
    frame(lab, "Attention").locator(".rs-say", has_text=f"{name} at").wait_for()
    assert shows(lab.page, true)
    assert not shows(lab.page, other)
    assert lab.page.evaluate("window.ended") is False
    lab.tell_cell()
    lab.page.evaluate("() => window.running")
    assert tuple(python(lab, "list(exp.selection.head)")) == head


def test_python_selects_in_every_view(lab):
    lab.execute("exp.selection.update(head='2.5', position=4, depth=3)")
    assert painted(lab, (2, 5))
    assert "L2H5 at ·John (4)" in say(lab, "Attention")
    assert "1.mid" in say(lab, "Logit lens")
    assert say(lab, "Heads").startswith("L2H5 ")


def test_the_slider_moves_the_lens_and_python_follows(lab):
    slider = frame(lab, "Logit lens").get_by_role("slider")
    slider.focus()
    lab.page.keyboard.press("Home")
    frame(lab, "Logit lens").locator(".rs-say", has_text="embed").wait_for()
    lab.page.keyboard.press("ArrowRight")
    frame(lab, "Logit lens").locator(".rs-say", has_text="0.mid").wait_for()
    lab.page.wait_for_function(
        """async () => {
          const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
          let text = "";
          const future = kernel.requestExecute({ code: "print(exp.selection.depth)", store_history: false });
          future.onIOPub = ({ content }) => { text += content.text ?? ""; };
          await future.done;
          return text.trim() === "1";
        }"""
    )


def test_a_selection_outside_the_run_is_said_and_a_new_run_clears_it(lab):
    lab.execute("larger = rs.HeadAttribution.from_arrays([[1.0] * 10] * 10, selection=exp.selection)")
    lab.execute("exp.selection.update(head='9.9')")
    frame(lab, "Heads").locator(".rs-say", has_text="L9H9 is not in this run").wait_for()
    frame(lab, "Attention").locator(".rs-say", has_text="L9H9 is not in this run").wait_for()
    lab.execute("larger.close(); exp.update(); exp.trace")
    assert lab.execute("print(exp.selection.head)") == "None"


def test_an_edited_prompt_and_answers_recompute_every_view(lab):
    prompt, right, wrong = edit(lab)
    prompt.fill("When Tom and Anna went to the park, Anna gave a book to")
    right.fill(" Tom")
    wrong.fill(" Anna")
    before = run_shown(lab)
    wrong.press("Enter")
    lab.page.wait_for_function(ALL_AFTER, arg=before)
    assert python(lab, "exp.trace.target.names") == ["' Tom' − ' Anna'"]
    assert python(lab, "exp.warnings") == []
    value = python(lab, "float(exp.trace.target_value[0])")
    assert f"{abs(value):.2f} logits" in say(lab, "Logit lens")
    assert "·Tom" in frame(lab, "Heads").locator(".rs-what").inner_text()
    frame(lab, "Heads").locator(".rs-strongest button").first.click()
    head = tuple(python(lab, "list(exp.selection.head)"))
    assert painted(lab, head)
    assert "·Tom" in lab.page.locator(".rs-workbench .rs-strip, .rs-workbench .rs-frame").first.inner_text()


def test_a_bad_answer_shows_its_sentence_and_loses_nothing(lab):
    _, right, _ = edit(lab)
    right.fill(" John")
    right.press("Enter")
    problem = frame(lab, "Prompt").get_by_role("alert")
    problem.wait_for()
    assert "the right and the wrong answer are the same, ' John'" in problem.inner_text()
    assert right.input_value() == " John"
    lab.screenshot("refused")
    assert python(lab, "exp.trace.target.names") == ["' Mary' − ' John'"]
    right.press("Escape")
    assert frame(lab, "Prompt").get_by_role("textbox").count() == 0


def test_a_page_reload_keeps_the_views_and_their_links(lab):
    page = lab.page
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.content?.model")
    page.locator(".rs-workbench .rs-frame").nth(6).wait_for()
    bench(lab)
    button = frame(lab, "Heads").locator(".rs-strongest button").nth(1)
    name = button.locator("span").first.inner_text()
    button.click()
    head = tuple(int(part) for part in name[1:].split("H"))
    assert painted(lab, head)
