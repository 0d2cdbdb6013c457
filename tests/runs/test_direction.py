"""What is remembered of a target's direction between runs, and what is not."""

import pytest
import torch

from residscope import Trace
from residscope.analysis import attribution
from residscope.inputs.reader import Reader
from residscope.models import twin_of
from residscope.runs import direction
from tests import tiny

MARY, TOM = "When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"


def trace_of(model, prompt, answers=(" Mary", " John")):
    return Trace(model, Reader(model).parse(prompt, answers, None, None))


@pytest.fixture
def folds(monkeypatch):
    """The output maps, one per layer, that a direction was carried back through."""
    maps = []

    def counted(W_O, u):
        maps.append(W_O)
        return whole(W_O, u)

    whole = attribution.fold_heads
    monkeypatch.setattr(attribution, "fold_heads", counted)
    return maps


@pytest.mark.parametrize("name", ["gpt2", "llama-bias"])
def test_a_new_prompt_with_the_same_answers_folds_nothing_and_has_the_right_numbers(name, folds):
    model = tiny.bridge(name)
    trace_of(model, MARY).head_attribution()
    assert len(folds) == 3
    again = trace_of(model, TOM)
    torch.testing.assert_close(again.head_attribution(), trace_of(tiny.bridge(name), TOM).head_attribution())
    assert len(folds) == 6, "the second time for the other model"
    assert [check.reason for check in again.sum_check()] == [""]


@pytest.mark.parametrize("answers", [(" Tom", " John"), " Mary"], ids=["another answer", "a log-probability"])
def test_another_direction_is_carried_back_anew(answers, folds):
    model = tiny.bridge("llama")
    trace_of(model, MARY, " Mary").head_attribution()
    trace_of(model, TOM, answers).head_attribution()
    assert len(folds) == 6


def test_nothing_of_old_weights_is_remembered(folds):
    model = tiny.bridge("gpt2")
    before = trace_of(model, MARY).head_attribution()
    with torch.no_grad():
        for parameter in model.blocks[1].attn.parameters():
            parameter.mul_(1.5)
    trace = trace_of(model, MARY)
    assert not torch.allclose(trace.head_attribution(), before)
    assert [check.reason for check in (*trace.sum_check(), *trace.layer_check())] == ["", ""]
    assert len(folds) == 6


def test_the_newest_directions_are_kept(folds):
    model = tiny.bridge("llama")
    answers = [(right, " the") for right in (" Mary", " John", " Tom", " Anna", " to", " a")]
    for pair in answers:
        trace_of(model, MARY, pair).head_attribution()
    folds.clear()
    for pair in answers[-direction.DIRECTIONS :]:
        trace_of(model, TOM, pair).head_attribution()
    assert folds == []
    trace_of(model, TOM, answers[0]).head_attribution()
    assert len(folds) == 3


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_an_output_map_that_is_remembered_takes_no_room_of_its_own(name):
    model = tiny.bridge(name)
    trace_of(model, MARY).head_attribution()
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    with twin_of(model).use() as twin:
        kept = direction._KNOWN[twin].heads
    assert len(kept) == 3
    assert {head.W_O.untyped_storage().data_ptr() for head in kept.values()} <= own
