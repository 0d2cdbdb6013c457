"""Every view in every state it has: the models of pages for tests of all views alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import (
    test_attention_pattern,
    test_head_attribution,
    test_head_readout,
    test_layer_attribution,
    test_logit_lens,
    test_token_strip,
    test_view,
)
from .conftest import job, make_run, payload, selection, set_state, status, view

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Run = dict[str, Any]
Traits = dict[str, Any]

NOTHING = {"$bytes": ""}
WHY = "the parts miss the model's logits by 0.3: another final norm is in use"


def _strip(run: Run, chosen: Traits, ok: bool) -> Traits:
    rows = run["rows"]
    rng = np.random.default_rng(0)
    sources = rng.normal(0, 1, (len(rows), run["n_layers"], run["n_heads"], len(rows[0]["ids"])))
    sent = test_token_strip.data(
        run["number"],
        prompts=[row["prompt"] for row in rows],
        answers=[(" Mary", " John")] * len(rows),
        presets=test_token_strip.PRESETS,
        sources=sources.astype(np.float32),
    )
    return {"_data": sent, "_edit": None, "_refused": None, "colour": "direct effect"}


def _heads(run: Run, chosen: Traits, ok: bool) -> Traits:
    shape = (len(run["rows"]), run["n_layers"], run["n_heads"])
    values = np.random.default_rng(1).normal(0, 1, shape).astype(np.float32)
    return {"_data": test_head_attribution.data(run["number"], values, ok=ok, reason="" if ok else WHY)}


def _layers(run: Run, chosen: Traits, ok: bool) -> Traits:
    layers = [f"L{layer}.{part}" for layer in range(run["n_layers"]) for part in ("attn", "mlp")]
    labels = ["embed", *layers, "unembed_bias"]
    values = np.random.default_rng(2).normal(0, 1, (len(run["rows"]), len(labels))).astype(np.float32)
    return {"_data": test_layer_attribution.data(run["number"], values, labels, ok=ok, reason="" if ok else WHY)}


def _pattern(run: Run, chosen: Traits, ok: bool) -> Traits:
    length = len(run["rows"][0]["ids"])
    weights = test_attention_pattern.patterns(run["n_layers"], run["n_heads"], length)
    windows = [None] * run["n_layers"]
    sent = test_attention_pattern.data(*[weights] * len(run["rows"]), run=run["number"], windows=windows)
    return {"_data": sent, "_answer": NOTHING}


def _lens(run: Run, chosen: Traits, ok: bool) -> Traits:
    rows, depths = len(run["rows"]), len(run["depths"])
    arrays = test_logit_lens.arrays(rows, depths, len(run["rows"][0]["ids"]))
    sent = test_logit_lens.data(arrays, run["number"], ok=ok, reason="" if ok else WHY)
    return {"_data": sent}


def _readout(run: Run, chosen: Traits, ok: bool) -> Traits:
    head, position = chosen.get("head", [0, 0]), chosen.get("position", len(run["rows"][0]["ids"]) - 1)
    card = test_head_readout.card(run["number"], head=head, position=position, looks=[[4, 0.93], [2, 0.04]])
    return {"_data": payload({}, run=run["number"]), "_answer": card}


def _maps(run: Run, chosen: Traits, ok: bool) -> Traits:
    weights = test_attention_pattern.patterns(run["n_layers"], run["n_heads"], min(48, len(run["rows"][0]["ids"])))
    maps = {f"row.{row}": test_attention_pattern.packed(weights) for row in range(len(run["rows"]))}
    values = np.random.default_rng(3).normal(0, 1, (1, *weights.shape[:2])).astype(np.float32)
    shown = {"ahead": True, "causal": True, "sort": "direct effect", "unit": "logits"}
    sent = payload({**maps, "values": values}, run=run["number"], **shown)
    return {"_data": sent, "shown": "selected layer", "sort": "direct effect"}


def _view(run: Run, chosen: Traits, ok: bool) -> Traits:
    return {"_data": test_view.data(run)}


# What the kernel sends each view, of a run and of what is chosen; `ok` is whether its check holds.
VIEWS: dict[str, Callable[[Run, Traits, bool], Traits]] = {
    "token_strip": _strip,
    "head_attribution": _heads,
    "layer_attribution": _layers,
    "attention_pattern": _pattern,
    "head_readout": _readout,
    "head_grid": _maps,
    "logit_lens": _lens,
    "view": _view,
}

# Where every element of every view stands.
PLACES = """
() => [...document.querySelectorAll(".rs-view *")].map((element) => {
  const { left, top, width, height } = element.getBoundingClientRect();
  return [element.tagName, element.className.baseVal ?? element.className, left, top, width, height].join(" ");
})
"""

LONG = 450
CHOSEN = {"head": [3, 1], "position": 10, "key": 4, "depth": 7, "pinned": ["L1H3", "L2.mlp", "L2H0"]}


def long_run(number: int = 7) -> Run:
    """A run whose prompt is long, in a model of few heads, so that its patterns stay small."""
    run = make_run(number, n_layers=2, n_heads=2, depths=["embed", "0.mid", "0.post", "1.mid", "output"])
    row = run["rows"][0]
    return run | {"rows": [row | {"ids": [row["ids"][i % 15] for i in range(LONG)], "target_position": LONG - 1}]}


def deep_run(number: int = 7) -> Run:
    """A run of a model of 32 layers of 32 heads."""
    parts = [f"{layer}.{part}" for layer in range(32) for part in ("mid", "post")]
    run = make_run(number, n_layers=32, n_heads=32, depths=["embed", *parts[:-1], "output"])
    run["rows"] = [run["rows"][0] | {"ids": run["rows"][0]["ids"][:6], "target_position": 5}]
    return run


@dataclass(frozen=True)
class State:
    """What stands on the page, and what is done there to each view that has the state, with one at a time or all."""

    run: Run | None = field(default_factory=make_run)
    chosen: Traits = field(default_factory=lambda: CHOSEN)
    status: Traits = field(default_factory=dict)
    ok: bool = True
    kernel: bool = True
    act: Callable[[Page, str], None] | None = None
    alone: bool = False
    only: Sequence[str] | None = None

    def views(self) -> list[str]:
        """The views that have this state."""
        return [name for name in VIEWS if self.only is None or name in self.only]

    def models(self, *names: str) -> list[dict[str, Any]]:
        """The models of a page that shows these views, each under its name."""
        nothing = make_run()
        shown = []
        for name in names:
            traits = VIEWS[name](self.run or nothing, self.chosen, self.ok)
            shown.append(view(name, name, **(traits if self.run else {**traits, "_data": NOTHING})))
        return [*shown, selection(**self.chosen), status(self.run, **self.status)]

    def enter(self, page: Page) -> Iterator[list[str]]:
        """Bring the page into the state, and yield which views are in it: all, or one after another."""
        names = self.views()
        for some in [[name] for name in names] if self.alone else [names]:
            for name in some if self.act else []:
                self.act(page, name)
            # A picture that grows old fades a moment later.
            page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
            yield some


def of(page: Page, name: str) -> Locator:
    """What belongs to one view."""
    return page.locator(f"[data-model='{name}']")


def point(page: Page, name: str) -> None:
    """Bring the keyboard on to a cell, which shows its tooltip where it has one."""
    of(page, name).locator("[role=grid], [role=listbox]").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")


def ask_for_help(page: Page, name: str) -> None:
    of(page, name).get_by_role("button", name="about").click()


def open_menu(page: Page, name: str) -> None:
    of(page, name).get_by_role("button", name="menu").click()


def edit(page: Page, name: str) -> None:
    of(page, name).get_by_role("button", name="edit").click()


def be_refused(page: Page, name: str) -> None:
    edit(page, name)
    page.keyboard.type(" the")
    page.keyboard.press("Enter")
    refused = {"id": 1, "field": "answers", "message": "' Mary' and ' Mary' begin with the same token."}
    set_state(page, name, _refused=refused)
    page.get_by_role("alert").wait_for()


def grow_stale(page: Page, name: str) -> None:
    set_state(page, "status", _header=make_run(8), run=8)
    of(page, name).locator("[data-state=stale]").wait_for()


def wait_for_cancel(page: Page, name: str) -> None:
    of(page, name).get_by_role("button", name="Cancel").wait_for()


WITH_TOOLTIPS = ["token_strip", "head_attribution", "layer_attribution", "attention_pattern", "logit_lens", "view"]

STATES: dict[str, State] = {
    "current": State(),
    "nothing selected": State(chosen={}),
    "empty": State(run=None),
    "computing the first run": State(run=None, status={"_jobs": [job()]}, act=wait_for_cancel),
    "computing": State(status={"_jobs": [job()]}, act=wait_for_cancel),
    "tooltip": State(act=point, alone=True, only=WITH_TOOLTIPS),
    "help": State(act=ask_for_help),
    "menu": State(act=open_menu, alone=True),
    "editing": State(act=edit, only=["token_strip"]),
    "refused": State(act=be_refused, only=["token_strip"]),
    "stale": State(act=grow_stale),
    "error": State(status={"_error": {"run": 8, "message": "CUDA out of memory"}}),
    "failed check": State(ok=False),
    "not in this run": State(chosen={"row": 3, "head": [9, 9], "depth": 30, "position": 99}),
    "no kernel": State(kernel=False),
    "several prompts": State(run=make_run(rows=3)),
    "long prompt": State(run=long_run(), chosen={"head": [1, 1], "position": 300, "depth": 2}),
    "deep model": State(run=deep_run(), chosen={"head": [20, 7], "depth": 40, "pinned": ["L3H30"]}),
}
