"""What is closed leaves nothing behind, whoever still holds it."""

import gc
import weakref

import pytest
from ipywidgets.widgets import widget

import residscope as rs
from tests import tiny

PROMPT = "When Mary and John went to the store"


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


def test_a_closed_workbench_holds_no_run_though_a_notebook_holds_it(model):
    before = len(widget._instances)
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    bench = rs.Workbench(experiment)
    gone = [experiment.trace, experiment, experiment.selection, experiment.status]
    references = [weakref.ref(thing) for thing in gone]
    bench.close()
    del experiment, gone
    gc.collect()
    assert len(widget._instances) == before
    # Its views still know the selection that they followed, and nothing of the run.
    assert [reference() is None for reference in references[:2]] == [True, True]
    assert sum(len(view._data) for view in bench.children) == 0
    with pytest.raises(RuntimeError, match="this view is closed: make a new one"):
        bench.children[0].to_frame()
    del bench
    gc.collect()
    assert [reference() for reference in references] == [None] * 4


def test_fifty_experiments_that_nobody_holds_leave_no_widget(model):
    before = len(widget._instances)
    for _ in range(50):
        rs.HeadAttribution(rs.Experiment(model, PROMPT)).close()
    gc.collect()
    assert len(widget._instances) == before
