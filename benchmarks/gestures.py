"""A click or a step of the slider in the workbench, on what is there."""

import statistics
from collections.abc import Callable

from playwright.sync_api import Page

from benchmarks import browser, models
from benchmarks.rows import Row
from benchmarks.scale import Scale
from residscope import AttentionPattern, Column, Experiment, HeadAttribution, Workbench
from residscope.experiment import source_of
from residscope.live.worker import Priority

FRAME = 1 / 60
"""Seconds between two pictures on most screens."""

HEADS = "[role=grid][aria-label*='of each head']"
LENS = ".rs-lens-grid [role=grid]"

Gesture = Callable[[int], None]
"""Done so many times before."""


def measure(scale: Scale) -> list[Row]:
    """Measure the page's work after a gesture until all views there are painted.

    Raises:
        RuntimeError: when a gesture selects nothing.
    """
    experiment = Experiment(models.gpt2(scale.size), models.prompt(scale.size, scale.page), (1, 2))
    # The lens begins at its first column then.
    experiment.selection.update(position=0)
    pair = Column([HeadAttribution(experiment), AttentionPattern(experiment)])
    shown = {
        "in two linked views": (pair, {"a click on a head": _click(HEADS)}),
        "in all views of the workbench": (
            Workbench(experiment),
            {
                "a click on a head": _click(HEADS),
                "a step of the layer slider": _slide,
                "a click on the lens": _click(LENS),
            },
        ),
    }
    source_of(experiment).ask("all are shown", lambda _ticket: None, Priority.STILL).wait()
    rows = []
    with browser.opened() as chromium:
        for where, (box, gestures) in shown.items():
            html = browser.page_of(box, [*box.children, experiment.selection, experiment.status])
            with browser.shown(chromium, html) as timed:
                timed.page.locator("canvas").last.wait_for()
                rows += [_row(timed, f"{name}, {where}", ready(timed.page), scale) for name, ready in gestures.items()]
    experiment.close()
    return rows


def _row(timed: browser.Timed, name: str, gesture: Gesture, scale: Scale) -> Row:
    selected, worked, taken = _selected(timed.page), timed.worked(), []
    for turn in range(scale.repeats + 1):
        gesture(turn)
        before, worked = worked, timed.worked()
        taken.append(worked - before)
    if _selected(timed.page) - selected < scale.repeats:
        raise RuntimeError(f"{name} selects nothing")
    return Row(name, statistics.median(taken[1:]), "one animation frame", FRAME, "s", 1)


def _selected(page: Page) -> int:
    return int(page.evaluate("window.residscope.saved.length"))


def _click(grid: str) -> Callable[[Page], Gesture]:
    def ready(page: Page) -> Gesture:
        map_of = page.locator(grid).first
        map_of.scroll_into_view_if_needed()
        box = map_of.bounding_box()
        assert box is not None

        def click(turn: int) -> None:
            # All over the map, and never twice in one place.
            x, y = 0.4 + 0.5 * (turn * 0.618 % 1), 0.1 + 0.7 * (turn * 0.382 % 1)
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])

        return click

    return ready


def _slide(page: Page) -> Gesture:
    page.locator("input[type=range]").first.focus()
    return lambda turn: page.keyboard.press("ArrowLeft" if turn % 2 else "ArrowRight")
