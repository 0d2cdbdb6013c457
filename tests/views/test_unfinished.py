"""What fails, or is interrupted, while it is being made leaves nothing behind, and tells what went wrong."""

import gc
import random
import sys
import threading
from pathlib import Path

import pytest
from ipywidgets.widgets import widget

import residscope as rs
from tests import tiny

PROMPT = "When Mary and John went to the store"
KINDS = [rs.TokenStrip, rs.HeadAttribution, rs.AttentionPattern, rs.HeadReadout, rs.LogitLens, rs.LayerAttribution,
         rs.HeadGrid]  # fmt: skip
WHERE = (str(Path(rs.__file__).parent), str(Path(widget.__file__).parent))


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture(scope="module")
def experiment(model):
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    experiment.selection.update(head="1.1")
    yield experiment
    experiment.close()


@pytest.mark.parametrize("error", [ZeroDivisionError("seven by nothing"), KeyboardInterrupt("stopped")], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_a_view_that_fails_tells_why_and_leaves_no_widget(experiment, monkeypatch, kind, error):
    others = [rs.AttentionPattern(experiment), rs.HeadReadout(experiment), rs.HeadGrid(experiment)]
    before = set(widget._instances)

    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(kind, "payload", fail)
        with pytest.raises(type(error), match=str(error)):
            kind(experiment)
    assert set(widget._instances) == before
    # The others still follow what is selected, once each.
    sent = []
    others[1].observe(lambda change: sent.append(change["new"]), "_card")
    experiment.selection.update(position=2)
    experiment.schedule("mark", lambda _ticket: None).wait()
    experiment.selection.update(position=None)
    experiment.schedule("mark", lambda _ticket: None).wait()
    assert len(sent) == 2
    for other in others:
        other.close()


def test_a_box_that_fails_closes_itself_and_none_of_the_views_it_was_given(experiment, monkeypatch):
    heads = rs.HeadAttribution(experiment)
    before = set(widget._instances)

    def fail(_thing):
        raise KeyboardInterrupt("stopped")

    with monkeypatch.context() as patch:
        patch.setattr("residscope.views.boxes.rerun.note_made_by_cell", fail)
        with pytest.raises(KeyboardInterrupt, match="stopped"):
            rs.Row([heads])
    assert set(widget._instances) == before
    assert not heads.closed
    heads.close()


def interrupted(make, after=None):
    """Make something, interrupted after so many lines of ours and of ipywidgets; return the error and the lines run."""
    lines = 0

    def within(_frame, event, _arg):
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == after:
                sys.settrace(None)
                raise KeyboardInterrupt("stopped")
        return within

    def trace(frame, _event, _arg):
        return within if frame.f_code.co_filename.startswith(WHERE) else None

    error, before = None, sys.gettrace()
    sys.settrace(trace)
    try:
        made = make()
    except BaseException as raised:  # noqa: BLE001 - it is compared
        error = repr(raised)
    finally:
        sys.settrace(before)
    if error is None:
        made.close()
    return error, lines


def from_arrays():
    return rs.AttentionPattern.from_arrays([[1.0, 0.0], [0.5, 0.5]], ["a", "b"])


@pytest.mark.parametrize("what", ["Workbench", "HeadGrid", "from_arrays", "Experiment"])
def test_whatever_line_is_interrupted_no_widget_and_no_thread_is_left(experiment, model, what):
    make = {
        "Workbench": lambda: rs.Workbench(experiment),
        "HeadGrid": lambda: rs.HeadGrid(experiment),
        "from_arrays": from_arrays,
        "Experiment": lambda: rs.Experiment(model, PROMPT),
    }[what]
    interrupted(make)
    _, lines = interrupted(make)
    gc.collect()
    widgets, threads = set(widget._instances), threading.active_count()
    drawn = random.Random(0)
    for _ in range(60 if what == "Workbench" else 20):
        error, ran = interrupted(make, drawn.randrange(1, int(0.9 * lines)))
        assert error == "KeyboardInterrupt('stopped')", f"{ran} lines were run"
        assert set(widget._instances) == widgets
    for thread in threading.enumerate():
        if thread.name == "residscope" and threading.active_count() > threads:
            thread.join(1)
    assert threading.active_count() <= threads
