"""Runs that can be gone back to, and experiments of their own made from one."""

import pytest

import residscope as rs
from residscope.experiment import source_of
from tests import tiny

FIRST, SECOND, THIRD = "When Mary and John went", "Tom met Anna at", "The store was"


@pytest.fixture
def experiment():
    made = rs.Experiment(tiny.bridge("llama"), FIRST, (" Mary", " John"))
    made.update(prompts=SECOND)
    made.update(prompts=THIRD)
    assert made.trace.number == 3
    yield made
    made.close()


def test_back_and_forward_run_again_what_was_asked(experiment):
    experiment.back(2)
    assert (experiment.trace.number, experiment.prompts) == (4, (FIRST,))
    assert experiment.answers == (" Mary", " John")
    experiment.forward()
    assert (experiment.trace.number, experiment.prompts) == (5, (SECOND,))
    assert [run.prompts for run in experiment.history] == [(FIRST,), (SECOND,), (THIRD,)]
    assert [run.number for run in experiment.history] == [4, 5, 3]
    assert experiment.history.at == 1


def test_asking_something_new_forgets_what_came_after(experiment):
    experiment.back()
    experiment.update(prompts="The cat")
    assert [run.prompts[0] for run in experiment.history] == [FIRST, SECOND, "The cat"]
    with pytest.raises(IndexError, match="there is no run there: the history has runs 0 to 2"):
        experiment.forward()


def test_running_the_same_again_adds_nothing(experiment):
    experiment.update()
    experiment.update(prompts=THIRD)
    assert [run.number for run in experiment.history] == [1, 2, 5]


def test_the_history_tells_what_each_run_gave(experiment):
    value = float(experiment.trace.target_value[0])
    assert experiment.history[-1].value == (value,)
    assert repr(experiment.history).splitlines()[-1] == f"> run 3: {THIRD!r}: ' Mary' − ' John' = {value:.4g}"


def test_what_was_known_of_a_run_stands_until_it_has_run_again(experiment, monkeypatch):
    for go in (experiment.back, experiment.forward):
        go()
        assert experiment.trace
    monkeypatch.setattr(source_of(experiment), "run", lambda *_: None)
    known = [(run.target, run.value) for run in experiment.history[1:]]
    assert known[0][1] != ()
    experiment.update()
    experiment.back()
    assert [(run.target, run.value) for run in experiment.history[1:]] == known


def test_refused_inputs_are_not_remembered(experiment):
    with pytest.raises(rs.InputError):
        experiment.update(prompts="")
    assert len(experiment.history) == 3


def test_the_browser_goes_back_and_is_told_where_it_is(experiment):
    assert experiment.status._history == {"at": 2, "of": 3}
    experiment.status.set_state({"_go": {"id": 1, "to": 0}})
    assert experiment.trace.inputs.prompts == (FIRST,)
    assert experiment.status._history == {"at": 0, "of": 3}
    for nonsense in ({"id": 2, "to": 9}, {"id": 3, "to": -1}, {"id": 4, "to": "1"}, {"id": 5}, {"to": True}):
        experiment.status.set_state({"_go": nonsense})
        assert experiment.trace.inputs.prompts == (FIRST,)


def test_an_experiment_says_how_many_prompts_it_has(experiment):
    assert repr(experiment).startswith("<Experiment on 1 prompt: <Trace of run 3: tiny-llama, 1 row, ' Mary' − ")
    experiment.update(prompts=[FIRST, SECOND])
    assert "<Trace of run 4: tiny-llama, 2 rows, " in repr(experiment.trace)
    assert repr(experiment).startswith("<Experiment on 2 prompts: ")


def test_only_the_newest_runs_are_remembered(monkeypatch, experiment):
    monkeypatch.setattr("residscope.inputs.history.KEPT", 2)
    experiment.update(prompts="The cat")
    assert [run.prompts[0] for run in experiment.history] == [THIRD, "The cat"]
    assert experiment.history.at == 1


def test_a_fork_has_inputs_and_a_selection_of_its_own(experiment):
    experiment.selection.update(head="1.2", pinned=["L0H1"])
    other = experiment.fork(prompts=SECOND)
    assert other.trace.inputs.prompts == (SECOND,)
    assert other.trace.target.names == experiment.trace.target.names
    assert (other.selection.head, other.selection.pinned) == ((1, 2), ["L0H1"])
    other.selection.update(head="0.0")
    other.update(prompts=FIRST)
    assert experiment.selection.head == (1, 2)
    assert experiment.trace.inputs.prompts == (THIRD,)
    with pytest.raises(TypeError, match="there is no input prompt:"):
        experiment.fork(prompt=FIRST)
    experiment.selection.update(position=3)
    shorter = experiment.fork(prompts="The cat")
    assert (shorter.selection.head, shorter.selection.position) == ((1, 2), None)
    other.close()
    shorter.close()
