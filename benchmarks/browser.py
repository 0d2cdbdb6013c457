"""Pages in Chromium, without Jupyter and without a kernel, and how long their main thread works.

Of a view's work on a page all but the copying of finished pictures to the screen is done on that thread. Its CPU time
depends little on what else the machine does.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anywidget
from playwright.sync_api import Browser, Page, sync_playwright

import residscope
from tests.browser import launch

HOST = Path(residscope.__file__).parent / "static" / "host.js"
ADDRESS = "http://views.test/"
IDLE = 0.3
"""Seconds without work after which a page is taken to have finished."""

HTML = """<!doctype html><html data-kernel="false"><head><meta charset="utf-8"></head><body>
<div data-model="{shown}"></div><script type="application/json" id="residscope-models">{models}</script>
<script type="module" src="/host.js"></script></body></html>"""


@contextmanager
def opened() -> Iterator[Browser]:
    """Start a Chromium."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()


class Timed:
    """A page whose main thread is watched."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked(self) -> float:
        """Return the CPU seconds that the main thread has worked, once it has nothing left to do."""
        before, now = -1.0, self._worked()
        # To ask is a little work, too.
        while now - before > IDLE / 20:
            self.page.wait_for_timeout(1000 * IDLE)
            before, now = now, self._worked()
        return now

    def _worked(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


@contextmanager
def shown(browser: Browser, html: str) -> Iterator[Timed]:
    """Open a page in a fresh profile; what it asks of a network is refused.

    Raises:
        RuntimeError: when something on it fails.
    """
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    errors: list[str] = []
    context.route("**", lambda route: route.abort())
    context.route(f"{ADDRESS}*", lambda route: route.fulfill(body=html, content_type="text/html"))
    context.route(f"{ADDRESS}host.js", lambda route: route.fulfill(path=HOST, content_type="text/javascript"))
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        timed = Timed(page)
        page.goto(ADDRESS)
        yield timed
    finally:
        context.close()
    if errors:
        raise RuntimeError(f"a page failed: {errors[0]}")


def page_of(shown: anywidget.AnyWidget, others: Sequence[anywidget.AnyWidget]) -> str:
    """Write a page with one widget and the models that it refers to, as they stand."""
    models = json.dumps([_baked(widget) for widget in (*others, shown)]).replace("<", "\\u003c")
    return HTML.format(shown=shown.model_id, models=models)


def _baked(widget: anywidget.AnyWidget) -> dict[str, Any]:
    state = widget.get_state()
    module, style = state.pop("_esm"), state.pop("_css")
    return {"id": widget.model_id, "esm": module, "css": style, "state": _plain(state)}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
