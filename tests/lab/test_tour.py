"""The tour of the views in a real JupyterLab: all of them, in both themes."""

from pathlib import Path

from tests.lab.harness import SCREENSHOTS

NOTEBOOK = Path(__file__).parents[2] / "notebooks/02_views.ipynb"
PICTURES = {
    0: "token_strip",
    1: "head_attribution",
    3: "attention_pattern",
    5: "head_grid",
    6: "head_readout",
    7: "layer_attribution",
    8: "logit_lens",
}
"""The views of the tour, as the pages in docs/views show them."""
TITLES = ["Prompt", "Heads", "Heads", "Attention", "Attention", "Head maps", "Head", "Layers", "Logit lens"]


def test_every_view_of_the_tour_shows_and_follows_a_click(lab):
    page = lab.open(NOTEBOOK)
    # JupyterLab draws only the cells on screen.
    page.set_viewport_size({"width": 1400, "height": 7000})
    lab.run_all()
    frames = page.locator(".rs-frame")
    frames.nth(13).wait_for()
    titles = page.get_by_role("heading", level=3).all_inner_texts()
    assert titles[: len(TITLES)] == TITLES
    assert titles[len(TITLES) :] == ["Heads", "Heads", "Heads", "Attention", "Prompt"]
    assert page.locator('.rs-frame:not([data-state="current"])').count() == 0
    frames.nth(1).locator(".rs-strongest button", has_text="L1H2").click()
    for number, said in ((1, "L1H2 adds"), (3, "L1H2 at"), (4, "L1H2 at"), (6, "L1H2 at"), (9, "L1H2 adds")):
        frames.nth(number).locator(".rs-say", has_text=said).wait_for()
    assert "L1H2" not in frames.nth(10).locator(".rs-say").inner_text(), "a fork has a selection of its own"
    frames.nth(11).locator(".rs-strongest button").nth(1).click()
    name = frames.nth(11).locator(".rs-strongest button").nth(1).locator("span").first.inner_text()
    frames.nth(12).locator(".rs-say", has_text=f"{name} at").wait_for()
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"tour-{theme}")
    lab.execute("exp.selection.update(head='3.0')")
    frames.nth(1).locator(".rs-say", has_text="L3H0 adds").wait_for()
    page.mouse.move(0, 0)
    for number, noun in PICTURES.items():
        box = frames.nth(number).bounding_box()
        clip = {"x": box["x"] - 8, "y": box["y"] - 8, "width": box["width"] + 16, "height": box["height"] + 16}
        page.screenshot(path=SCREENSHOTS / f"{noun}.png", clip=clip)
    assert [text for kind, text in lab.console if kind == "error"] == []
