"""Run the built views in a real browser, on a page without Jupyter."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from safetensors.numpy import save

from residscope.quantity import Quantity
from residscope.views import HeadAttribution, LayerAttribution
from residscope.views.base import View
from residscope.views.described import described
from residscope.views.quantities import payload as payload_of
from tests.browser import profile

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/residscope/static"
SCREENSHOTS = ROOT / "test-output"

PAGE = """<!doctype html><html lang="en" data-kernel="{kernel}"><head><meta charset="utf-8">
<title>residscope</title><style>
html {{ color-scheme: light dark; font-family: system-ui, "DejaVu Sans", sans-serif }}
body {{ margin: 16px; background: light-dark(#fff, #111418) }} [data-model] {{ margin-bottom: 16px }}
</style></head><body>{places}
<script type="application/json" id="residscope-models">{models}</script>
<script type="module" src="/host.js"></script></body></html>"""


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server of the built bundles."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(STATIC))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()


OpenViews = Callable[..., Page]


@pytest.fixture
def open_views(browser: Browser, server: str) -> Iterator[OpenViews]:
    """Open a page that draws every model with a view, or `shown`; an error in its console fails the test."""
    opened = []
    errors: list[str] = []

    def open_(
        models: list[dict[str, Any]],
        *,
        dark: bool = False,
        width: int = 720,
        height: int = 480,
        ratio: float = 1,
        kernel: bool = True,
        touch: bool = False,
        shown: list[str] | None = None,
    ) -> Page:
        context = profile(
            browser,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            device_scale_factor=ratio,
            has_touch=touch,
        )
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: line.type == "error" and errors.append(line.text))
        ids = [model["id"] for model in models if "esm" in model] if shown is None else shown
        places = "".join(f'<div data-model="{id}"></div>' for id in ids)
        baked = json.dumps(models).replace("<", "\\u003c")
        html = PAGE.format(kernel=str(kernel).lower(), places=places, models=baked)
        page.route(f"{server}/", lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(f"{server}/")
        page.wait_for_function("window.residscope !== undefined")
        return page

    yield open_
    for context in opened:
        context.close()
    assert errors == []


# Views that the common bundle draws from their quantities.
DRAWN: dict[str, type[View]] = {"head_attribution": HeadAttribution, "layer_attribution": LayerAttribution}

# What the kernel sends of traits that a test says nothing about.
DEFAULTS: dict[str, dict[str, Any]] = {
    "attention_pattern": {"colour": "attention", "hide_first": False},
    "head_attribution": {"colour": "direct effect", "scores_on": "this prompt"},
    "token_strip": {"colour": "none"},
}


def about(kind: type[View]) -> dict[str, Any]:
    """What the kernel says of a class of views before any run."""
    view = kind.__new__(kind)
    return described(view, view._menus, source=None)


def view(name: str, id: str, **state: Any) -> dict[str, Any]:
    """A model of the view `name` that shares the page's Selection and Status."""
    bundle = "view" if name in DRAWN else name
    css = STATIC / f"{bundle}.css"
    shared = {
        "selection": "anywidget:selection",
        "status": "anywidget:status",
        "_ask": None,
        "_answer": {"$bytes": ""},
        "_link": "",
        "_still": id,
        "_mirror": {},
        "_about": about(DRAWN[name]) if name in DRAWN else {},
        **DEFAULTS.get(name, {}),
    }
    return {
        "id": id,
        "esm": f"/{bundle}.js",
        "css": css.read_text() if css.exists() else "",
        "state": {**shared, **state},
    }


def selection(**state: Any) -> dict[str, Any]:
    empty = {"row": None, "depth": 0, "head": None, "position": None, "key": None, "pinned": [], "show": "now"}
    return {"id": "selection", "state": {**empty, **state}}


def status(run: dict[str, Any] | None = None, **state: Any) -> dict[str, Any]:
    empty = {"_header": run or {}, "_jobs": [], "_error": None, "_cancel": 0, "_go": None, "_intervene": None}
    empty["_history"] = {"at": 0, "of": 1}
    return {"id": "status", "state": {"run": run["number"] if run else 0, **empty, **state}}


def payload(tensors: dict[str, np.ndarray], *, run: int = 7, **info: Any) -> dict[str, str]:
    """One safetensors file, as the page's JSON holds bytes."""
    file = save(tensors, metadata={"run": str(run), "info": json.dumps(info)})
    return {"$bytes": base64.b64encode(file).decode()}


def answer(found: dict[str, Any], *, run: int = 7) -> dict[str, str]:
    """What the kernel says of some keys: arrays and what is said of them, or the reason why there is nothing."""
    tensors: dict[str, np.ndarray] = {}
    said: list[dict[str, Any]] = []
    for at, (key, one) in enumerate(found.items()):
        if isinstance(one, str):
            said.append({"key": key, "error": one})
        else:
            tensors |= {f"{at}.{name}": np.ascontiguousarray(array) for name, array in one[0].items()}
            said.append({"key": key, "error": None, "info": one[1]})
    return payload(tensors, run=run, answers=said)


def job(of: str = "", **changes: Any) -> dict[str, Any]:
    """A job as `Status._jobs` tells of it: of one view, or of all."""
    return {"id": 3, "run": 8, "of": of, "label": "layer", "done": 1, "total": 4, "error": None, **changes}


def quantities(*shown: Quantity, run: int = 7) -> dict[str, str]:
    """What a view sends of its quantities, by the code that sends it."""
    arrays, info = payload_of(shown, None)
    return payload(arrays, run=run, **info)


TOKENS = "<|endoftext|>When| Mary| and| John| went| to| the| store|,| John| gave| a| drink| to"


def make_run(number: int = 7, rows: int = 1, **changes: Any) -> dict[str, Any]:
    """A run of the prompt about Mary and John, as `Status._header` carries it."""
    tokens = ["<|endoftext|>", *TOKENS.removeprefix("<|endoftext|>").split("|")]
    ids = {text: i for i, text in enumerate(dict.fromkeys(tokens))}
    row = {
        "prompt": "".join(tokens[1:]),
        "ids": [ids[token] for token in tokens],
        "template": [],
        "target_position": len(tokens) - 1,
        "right": {"ids": [ids[" Mary"]], "text": " Mary"},
        "wrong": {"ids": [ids[" John"]], "text": " John"},
        "target": {"name": "' Mary' − ' John'", "value": 10.8024, "unit": "logits"},
        "right_prob": 0.9997,
        "right_rank": 0,
        "before": None,
    }
    depths = ["embed", *(f"{n}.{part}" for n in range(4) for part in ("mid", "post")), "output"]
    run = {
        "number": number,
        "rows": [row] * rows,
        "texts": {str(id): text for text, id in ids.items()},
        "specials": [0],
        "bos": 0,
        "depths": depths,
        "n_layers": 4,
        "n_heads": 8,
        "model": {
            "name": "demo",
            "dtype": "float32",
            "device": "cpu",
            "processing": "raw weights",
            "bos": "BOS <|endoftext|>",
        },
        "warnings": [],
        "interventions": [],
        "answered": [],
    }
    return {**run, **changes}


def saved(page: Page, id: str) -> list[dict[str, Any]]:
    """What the browser saved to one model, a dict per message."""
    every = page.evaluate("window.residscope.saved")
    return [one["changes"] for one in every if one["id"] == id]


def set_state(page: Page, id: str, **patch: Any) -> None:
    page.evaluate("([id, patch]) => window.residscope.setState(id, patch)", [id, patch])


def screenshot(page: Page, name: str, *, whole: bool = False) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)
