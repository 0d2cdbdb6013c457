"""A prompt of 1,600 tokens in a real JupyterLab: every view answers, and what is not in sight comes when it is."""

import re

from tests.lab.workbench import bench, frame, python, say

# The demo model's rotary positions have no end of their own; what it says so far out is not the point here.
CELLS = [
    'import residscope as rs\nmodel = rs.load_model("demo")\nmodel.cfg.n_ctx = 4096',
    """text = "When Mary and John went to the store, " + "John gave a drink to Tom and " * 225 + "John gave a drink to"
exp = rs.Experiment(model, text, answers=(" Mary", " John"))
exp.selection.update(head="3.0")
rs.Workbench(exp)""",
]


def test_a_long_prompt_answers_everywhere(lab):
    lab.open(CELLS)
    lab.run_all()
    strip = frame(lab, "Prompt")
    strip.wait_for()
    (length,) = python(lab, "exp.trace.lengths")
    assert length > 1500
    assert python(lab, "exp.trace.patterns_sent_with_run") is False
    assert strip.get_by_role("gridcell").count() < 400

    attention = frame(lab, "Attention")
    whole = attention.get_by_role("application")
    whole.wait_for()
    assert whole.get_attribute("aria-label").startswith(f"all {length} tokens")
    for theme in ("dark", "light"):
        lab.theme(theme)
        bench(lab)
        lab.screenshot(f"long-prompt-{theme}")

    find = strip.get_by_role("searchbox")
    find.fill("store")
    find.press("Enter")
    place = python(lab, "exp.selection.position")
    assert python(lab, f"exp.trace.str_tokens[0][{place}]") == " store"
    strip.locator(f"[data-position='{place}'].rs-ringed").wait_for()
    attention.locator(".rs-say", has_text=f"store ({place}) looks most at").wait_for()
    rows = re.search(r"rows (\d+) to (\d+)", whole.get_attribute("aria-label"))
    assert int(rows[1]) <= place <= int(rows[2])

    lens = frame(lab, "Logit lens")
    lens.locator(".rs-say", has_text=re.compile(rf"store \({place}\), .* leads with")).wait_for()
    assert "after \N{MIDDLE DOT}store" in lens.locator("figcaption").inner_text()
    top = python(lab, f"exp.trace.decode(int(exp.trace.lens_cells(0, {place}, {place} + 1, 1).top_ids[-1, 0, 0]))")
    assert f", {top.replace(' ', chr(0xB7))} leads with" in say(lab, "Logit lens")
