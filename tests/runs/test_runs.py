"""The runs that belong together."""

from dataclasses import FrozenInstanceError

import pytest
import torch

import residscope as rs
from residscope.experiment import source_of
from residscope.runs import trace
from residscope.runs.memory import StaleWeightsError
from tests import tiny

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"


@pytest.fixture
def forwards(monkeypatch):
    done, record = [], trace.record
    monkeypatch.setattr("residscope.runs.trace.record", lambda *args, **rest: done.append(1) or record(*args, **rest))
    return done


def test_untouched_and_with_interventions_are_one_run_while_there_are_none(forwards):
    experiment = rs.Experiment(tiny.bridge("llama"), CLEAN, (" Mary", " John"))
    runs = source_of(experiment).wait()
    assert runs.baseline is runs.trace is experiment.trace is experiment.baseline
    assert (runs.number, runs.trace.number, runs.corrupted, len(forwards)) == (1, 1, None, 1)
    with pytest.raises(FrozenInstanceError):
        runs.trace = None
    experiment.close()


def test_the_corrupted_prompts_are_run_when_they_are_asked_for_and_once(forwards):
    experiment = rs.Experiment(tiny.bridge("llama"), CLEAN, (" Mary", " John"), corrupted=CORRUPTED)
    runs = source_of(experiment).wait()
    assert len(forwards) == 1
    corrupted = runs.corrupted
    assert runs.corrupted is corrupted
    assert len(forwards) == 2
    assert corrupted.inputs.prompts == (CORRUPTED,)
    assert corrupted.target is runs.baseline.target
    assert corrupted.number == runs.number
    plain = experiment.run(prompts=CORRUPTED, corrupted=None)
    torch.testing.assert_close(corrupted.target_value, plain.target_value)
    assert corrupted.target_value[0] != runs.trace.target_value[0]
    experiment.close()


def test_corrupted_prompts_are_not_run_on_other_weights():
    model = tiny.bridge("llama", seed=11)
    experiment = rs.Experiment(model, CLEAN, (" Mary", " John"), corrupted=CORRUPTED)
    runs = source_of(experiment).wait()
    with torch.no_grad():
        model.blocks[0].attn.W_V.mul_(2)
        next(iter(model.parameters())).mul_(2)
    with pytest.raises(StaleWeightsError, match="the weights have changed since this run"):
        _ = runs.corrupted
    experiment.close()
