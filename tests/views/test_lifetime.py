"""What is closed leaves nothing behind, whoever still holds it."""

import gc
import sys
import weakref

import pytest

import residscope as rs
from residscope.experiment import source_of
from residscope.live.worker import Cancelled
from tests import tiny
from tests.held import held

PROMPT = "When Mary and John went to the store"


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


def test_a_closed_workbench_holds_no_run_though_a_notebook_holds_it(model):
    before = held()
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    bench = rs.Workbench(experiment)
    gone = [experiment.trace, experiment, experiment.selection, experiment.status]
    thread = source_of(experiment)._worker._thread
    references = [weakref.ref(thing) for thing in gone]
    bench.close()
    del experiment, gone
    gc.collect()
    assert held() <= before
    thread.join(30)
    # Its views still know the selection that they followed, and nothing of the run.
    assert [reference() is None for reference in references[:2]] == [True, True]
    assert sum(len(view._data) for view in bench.children) == 0
    with pytest.raises(RuntimeError, match="this view is closed: make a new one"):
        bench.children[0].to_frame()
    del bench
    gc.collect()
    assert [reference() for reference in references] == [None] * 4


@pytest.fixture
def published(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, *_, **_options: shown.append(data))
    return shown


def test_what_is_refused_leaves_no_complaint_behind(model, monkeypatch):
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    experiment.close()
    for refused in (rs.HeadAttribution, rs.AttentionPattern, rs.HeadGrid, rs.Workbench):
        with pytest.raises(Cancelled, match="this experiment is closed: make a new one"):
            refused(experiment)
    for refused in (rs.HeadAttribution, rs.Workbench):
        with pytest.raises(TypeError, match=f"{refused.__name__} takes an Experiment, not NoneType"):
            refused(None)
    gc.collect()
    assert [str(one.exc_value) for one in complaints] == []


def test_a_closed_view_is_displayed_as_a_sentence(model, published):
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    heads, row = rs.HeadAttribution(experiment), rs.Row([rs.LayerAttribution(experiment)])
    bench = rs.Workbench(experiment)
    inside = rs.Column([rs.TokenStrip(experiment)])
    for one in (heads, row, bench, *inside.children):
        one.close()
    for one in (heads, row, bench):
        one._ipython_display_()
    assert published == [{"text/plain": "this view is closed: make a new one"}] * 3
    inside._ipython_display_()
    assert published[-1]["text/plain"] == "this view is closed: make a new one"
    with pytest.raises(ValueError, match="Row cannot hold this HeadAttribution, which is closed: make a new one"):
        rs.Row([heads])
    inside.close()
    experiment.close()


def test_views_keep_their_last_picture_when_their_experiment_is_closed(model, published):
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    experiment.selection.update(head="1.1")
    kinds = (rs.TokenStrip, rs.HeadAttribution, rs.AttentionPattern, rs.HeadReadout, rs.LogitLens, rs.HeadGrid)
    shown = [kind(experiment) for kind in kinds]
    before = [(view._line(), view.to_svg(), view.to_frame().to_csv()) for view in shown]
    box = rs.Row(shown)
    experiment.close()
    assert [(view._line(), view.to_svg(), view.to_frame().to_csv()) for view in shown] == before
    box._ipython_display_()
    shown[0]._ipython_display_()
    assert len(published) == 4
    assert shown[0].to_plotly()
    # A host that opens it only now finds no shared model, and asks for the mirror.
    shown[1].set_state({"_link": "mirror"})
    assert shown[1]._mirror["selection"]["head"] == (1, 1)
    assert shown[1]._mirror["status"]["run"] == 1
    run = weakref.ref(shown[0].trace)
    box.close()
    gc.collect()
    assert run() is None


def test_fifty_experiments_that_nobody_holds_leave_no_widget(model):
    before = held()
    for _ in range(50):
        rs.HeadAttribution(rs.Experiment(model, PROMPT)).close()
    gc.collect()
    assert held() <= before
