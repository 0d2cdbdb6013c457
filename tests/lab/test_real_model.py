"""One click, live on a real model: the golden path on SmolLM2, 30 layers of 9 heads."""

import numpy as np

from tests.lab.workbench import ALL_AFTER, bench, edit, frame, painted, python, run_shown, say

CELLS = [
    'import residscope as rs\nmodel = rs.load_model("smollm2-135m-instruct")',
    """exp = rs.Experiment(model,
    "When Mary and John went to the store, John gave a drink to",
    answers=(" Mary", " John"),
    corrupted="When Mary and John went to the store, Mary gave a drink to")
rs.Workbench(exp)""",
]


def test_the_golden_path_runs_on_a_real_model(smollm2, lab):
    page = lab.open(CELLS)
    lab.run_all()
    heads = frame(lab, "Heads")
    assert python(lab, "[check.ok for check in exp.trace.sum_check()]") == [True]

    box = heads.get_by_role("grid").bounding_box()
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"])
    clicked = tuple(python(lab, "list(exp.selection.head)"))
    assert painted(lab, clicked)
    strongest = heads.locator(".rs-strongest button").first
    name = strongest.locator("span").first.inner_text()
    strongest.click()
    head = tuple(int(part) for part in name[1:].split("H"))
    assert head != clicked
    assert painted(lab, head)
    true = np.array(python(lab, "exp.trace.head_attribution()[0].tolist()"))
    assert head == np.unravel_index(true.argmax(), true.shape)

    slider = frame(lab, "Logit lens").get_by_role("slider")
    slider.scroll_into_view_if_needed()
    track = slider.bounding_box()
    middle = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + 0.9 * track["width"], middle)
    page.mouse.down()
    page.mouse.move(track["x"] + 0.5 * track["width"], middle, steps=8)
    page.mouse.up()
    half_way = python(lab, "exp.trace.depths[len(exp.trace.depths) // 2]")
    frame(lab, "Logit lens").locator(".rs-say", has_text=half_way).wait_for()

    for theme in ("dark", "light"):
        lab.theme(theme)
        bench(lab)
        lab.screenshot(f"smollm2-{theme}")

    prompt, right, wrong = edit(lab)
    prompt.fill("When Tom and Anna went to the park, Anna gave a book to")
    right.fill(" Tom")
    wrong.fill(" Anna")
    before = run_shown(lab)
    wrong.press("Enter")
    page.wait_for_function(ALL_AFTER, arg=before)
    assert python(lab, "exp.trace.target.names") == ["' Tom' − ' Anna'"]
    value = python(lab, "float(exp.trace.target_value[0])")
    assert value > 0
    assert f"{value:.2f} logits" in say(lab, "Heads")
    assert painted(lab, head)


CHAT = """exp = rs.Experiment(model, [{"role": "user", "content": "What is the capital of France?"}],
                    answers=" Paris", prefill="The capital of France is")
exp.selection.update(head="20.4")
rs.Column([rs.TokenStrip(exp), rs.AttentionPattern(exp, colour="value-weighted"), rs.LayerAttribution(exp)])"""


def test_a_chat_shows_what_its_template_added(smollm2, lab):
    page = lab.open([CELLS[0], CHAT])
    lab.run_all()
    strip = page.locator(".rs-frame").first
    strip.locator(".rs-template").first.wait_for()
    words = page.locator(".rs-strip [role='gridcell']:not(.rs-template)").all_inner_texts()
    said = "".join(words).replace("\N{MIDDLE DOT}", " ")
    assert "What is the capital of France?" in said
    assert "The capital of France is" in said
    assert "user" not in said
    assert "the log-probability of ·Paris is" in strip.locator(".rs-say").inner_text()
    assert python(lab, "exp.trace.sum_check()[0].ok and exp.trace.layer_check()[0].ok")
    page.locator(".rs-say", has_text="L20H4 at").wait_for()
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"chat-{theme}")
