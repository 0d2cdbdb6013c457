"""The workbench in a real JupyterLab: its frames by title, and what Python holds beside them."""

import json

import numpy as np

from tests.page.painted import shows

ALL_AFTER = """run => {
  const shown = [...document.querySelectorAll(".rs-workbench .rs-run")];
  return shown.length > 0 && shown.every(element => Number(element.textContent.slice(4)) > run);
}"""


def bench(lab):
    """The workbench, scrolled into view: JupyterLab draws only the cells on screen."""
    box = lab.page.locator(".rs-workbench").first
    box.scroll_into_view_if_needed()
    return box


def frame(lab, title):
    return bench(lab).locator(".rs-frame").filter(has=lab.page.get_by_role("heading", name=title, exact=True))


def say(lab, title):
    return frame(lab, title).locator(".rs-say").inner_text()


def python(lab, expression):
    return json.loads(lab.execute(f"import json; print(json.dumps({expression}))"))


def pattern(lab, head):
    layer, number = head
    return np.array(python(lab, f"exp.trace.attention({layer}, {number})[0].tolist()"))


def painted(lab, head):
    """Wait until the attention view speaks of this head, and tell whether it paints its pattern."""
    frame(lab, "Attention").locator(".rs-say", has_text=f"L{head[0]}H{head[1]} at").wait_for()
    return shows(lab.page, pattern(lab, head))


def run_shown(lab):
    return int(frame(lab, "Heads").locator(".rs-run").inner_text().removeprefix("run "))


def edit(lab):
    """Open the editor of the strip and return its fields: prompt, right answer, wrong answer."""
    strip = frame(lab, "Prompt")
    strip.get_by_role("button", name="edit").click()
    return [strip.get_by_role("textbox", name=name, exact=True) for name in ("prompt", "right answer", "wrong answer")]
