"""What is remembered of a target's direction between runs, and what is not."""

import pytest
import torch

from residscope import Trace, direction
from residscope.inputs import Reader
from tests import tiny

MARY, TOM = "When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"


def trace_of(model, prompt, answers=(" Mary", " John")):
    return Trace(model, Reader(model).read(prompt, answers, None, None))


@pytest.fixture
def read(monkeypatch):
    """The layers whose output maps were read to carry a direction back."""
    layers = []

    def counted(model, layer):
        layers.append(layer)
        return whole(model, layer)

    whole = direction.head_weights
    monkeypatch.setattr(direction, "head_weights", counted)
    return layers


@pytest.mark.parametrize("name", ["gpt2", "llama-bias"])
def test_a_new_prompt_with_the_same_answers_reads_no_output_map_and_has_the_right_numbers(name, read):
    model = tiny.bridge(name)
    trace_of(model, MARY).head_attribution()
    assert read == [0, 1, 2]
    again = trace_of(model, TOM)
    torch.testing.assert_close(again.head_attribution(), trace_of(tiny.bridge(name), TOM).head_attribution())
    assert read == [0, 1, 2] * 2, "the second time for the other model"
    assert [check.reason for check in again.sum_check()] == [""]


@pytest.mark.parametrize("answers", [(" Tom", " John"), " Mary"], ids=["another answer", "a log-probability"])
def test_another_direction_is_carried_back_anew(answers, read):
    model = tiny.bridge("llama")
    trace_of(model, MARY, " Mary").head_attribution()
    trace_of(model, TOM, answers).head_attribution()
    assert read == [0, 1, 2] * 2


def test_nothing_of_old_weights_is_remembered(read):
    model = tiny.bridge("gpt2")
    before = trace_of(model, MARY).head_attribution()
    with torch.no_grad():
        for parameter in model.blocks[1].attn.parameters():
            parameter.mul_(1.5)
    trace = trace_of(model, MARY)
    assert not torch.allclose(trace.head_attribution(), before)
    assert [check.reason for check in (*trace.sum_check(), *trace.layer_check())] == ["", ""]
    assert read == [0, 1, 2] * 2


def test_the_newest_directions_are_kept(read):
    model = tiny.bridge("llama")
    answers = [(right, " the") for right in (" Mary", " John", " Tom", " Anna", " to", " a")]
    for pair in answers:
        trace_of(model, MARY, pair).head_attribution()
    read.clear()
    for pair in answers[-direction.DIRECTIONS :]:
        trace_of(model, TOM, pair).head_attribution()
    assert read == []
    trace_of(model, TOM, answers[0]).head_attribution()
    assert read == [0, 1, 2]
