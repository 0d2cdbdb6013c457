"""Every view on a page with all that it needs: one entry a view, for what must hold of each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import test_attention_pattern as attention
from . import test_head_attribution as heads
from . import test_head_grid as grid
from . import test_head_readout as readout
from . import test_layer_attribution as layers
from . import test_logit_lens as lens
from . import test_token_strip as strip
from . import test_view as common
from .conftest import TOKENS, answer, make_run, payload, selection, status, view

Say = Callable[[str], str]
"""Says a text in other words."""

CHOSEN = {"head": [3, 1], "depth": 8, "pinned": ["L1H3", "L3.mlp"]}
"""What is selected, so that every view has something to show."""


def _strip(number: int, say: Say) -> dict[str, Any]:
    prompt, answers = say("".join(TOKENS.split("|")[2:])), [(say(" Mary"), say(" John"))]
    presets = [{"name": say("The park"), "prompt": say("Anna saw"), "answers": [say(" Tom"), say(" Anna")]}]
    refused = say("nothing of this kind")
    shown = strip.data(number, [prompt], answers, presets, sources=strip.SOURCES * number, refused=refused)
    return {"_data": shown, "_edit": None, "_refused": None}


def _heads(number: int, say: Say) -> dict[str, Any]:
    values = heads.EFFECTS[None] * (1 + number / 10)
    return {"_data": heads.data(number, values.astype(np.float32), ok=False, reason=say("a part is missing"))}


def _layers(number: int, say: Say) -> dict[str, Any]:
    return {"_data": layers.data(number, layers.VALUES * (1 + number / 10), ok=False, reason=say("a part is missing"))}


def _attention(number: int, _say: Say) -> dict[str, Any]:
    return {"_data": attention.data(attention.patterns(seed=number), run=number), "_answer": attention.EMPTY}


def _attention_on_demand(number: int, _say: Say) -> dict[str, Any]:
    sent = attention.heads_of((3, 1), (1, 3), run=number, weights=attention.patterns(seed=number))
    return {"_data": payload({}, run=number, ahead=False), "_answer": sent}


def _lens(number: int, say: Say) -> dict[str, Any]:
    texts = {id: say(text) for id, text in lens.TEXTS.items()}
    reason = say("it is not the model's output")
    shown = lens.data(lens.arrays(seed=number), number, texts, ok=False, reason=reason)
    return {"_data": shown}


def _grid(number: int, _say: Say) -> dict[str, Any]:
    sent = payload({"row.0": grid.patterns(seed=number)}, run=number, ahead=True, causal=True, sort="head", unit="")
    return {"_data": sent, "shown": "selected layer", "sort": "head"}


def _readout(number: int, say: Say) -> dict[str, Any]:
    texts = {"40": say(" Chicken"), "41": say("Matthew")}
    card = {**readout.CARD, "head": [3, 1], "effect": number / 10}
    sent = answer({"card/0/L3H1/14": ({}, {"card": card, "texts": texts})}, run=number)
    return {"_data": payload({}, run=number), "_answer": sent}


def _view(number: int, say: Say) -> dict[str, Any]:
    return {"_data": common.data(make_run(number), say, seed=number)}


SAMPLES: dict[str, Callable[[int, Say], dict[str, Any]]] = {
    "attention_pattern": _attention,
    "attention_pattern on demand": _attention_on_demand,
    "head_attribution": _heads,
    "head_grid": _grid,
    "head_readout": _readout,
    "layer_attribution": _layers,
    "logit_lens": _lens,
    "token_strip": _strip,
    "view": _view,
}
"""The traits of a view for a run of this number, with its texts in other words; a name begins with the bundle's."""


def run_of(number: int, say: Say = str) -> dict[str, Any]:
    """A run in other words, as `Status._header` carries it."""
    run = make_run(number, warnings=[say("Mind the gap.")])
    row = run["rows"][0]
    answers = {side: {**row[side], "text": say(row[side]["text"])} for side in ("right", "wrong")}
    target = {**row["target"], "name": say(row["target"]["name"]), "value": number / 10}
    run["rows"] = [{**row, **answers, "target": target, "prompt": say(row["prompt"])}]
    run["texts"] = {id: say(text) for id, text in run["texts"].items()}
    facts = ("name", "processing", "bos")
    run["model"] = {**run["model"], **{name: say(run["model"][name]) for name in facts}}
    return run


def page_models(name: str, number: int = 7, say: Say = str) -> list[dict[str, Any]]:
    """A page with one view, which is called "view", and a run of this number."""
    shown = view(name.split()[0], "view", **SAMPLES[name](number, say))
    return [shown, selection(**CHOSEN), status(run_of(number, say))]
