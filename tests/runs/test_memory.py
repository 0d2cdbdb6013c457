"""What a run remembers of what was asked of it: all of it within one budget, however much is asked."""

import random

import pytest
import torch

import residscope as rs
from residscope.inputs.reader import Reader
from residscope.runs import memory
from tests import tiny

PROMPT = " and ".join(["the cat saw the dog"] * 9)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 150_000)


def test_two_thousand_different_clicks_stay_within_the_budget(small):
    model = tiny.bridge("llama")
    trace = rs.Trace(model, Reader(model).parse([PROMPT, f"the {PROMPT}"], (" Mary", " John"), None, None))
    heads = [(layer, head, row, at) for layer in range(3) for head in range(4) for row in (0, 1) for at in range(50)]
    windows = [(row, start, stop) for row in (0, 1) for start in range(50) for stop in range(start + 1, 51)]
    draw = random.Random(0)
    asks = [lambda head=head: trace.head_tokens(*head) for head in draw.sample(heads, 200)]
    asks += [lambda window=window: trace.lens_cells(*window, k=3) for window in draw.sample(windows, 1797)]
    asks += [lambda layer=layer: trace.source_split(layer) for layer in range(3)]
    draw.shuffle(asks)
    most = 0
    for ask in asks:
        ask()
        most = max(most, trace._memory.nbytes)
    assert len(asks) == 2000
    assert 100_000 < most <= memory.KEPT_BYTES


def test_what_was_asked_for_longest_ago_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 100)
    model = tiny.bridge("llama")
    kept = memory.Memory(rs.Trace(model, Reader(model).parse("Tom", None, None, None))._twin, b"")
    kept.use = lambda compute: compute(None)
    for name in ("one", "two", "one", "three"):
        kept.of(name, lambda _twin: torch.zeros(10))
    assert kept.keys == ["one", "three"]
    kept.of("large", lambda _twin: torch.zeros(1000))
    assert kept.keys == ["one", "three", "large"]
    assert kept.nbytes == 4080


def test_a_view_counts_as_all_that_it_holds():
    whole = torch.zeros(1000)
    assert memory.size_of(whole[:1]) == 4000
    assert memory.size_of([(whole, {"a": whole})]) == 8000
