"""What fails, or is interrupted, while it is being made leaves nothing behind, and tells what went wrong."""

import random
import sys
from pathlib import Path

import pytest
from ipywidgets.widgets import widget

import residscope as rs
from residscope.experiment import source_of
from tests import tiny
from tests.held import held
from tests.settled import asked, filled

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
    others = [filled(kind(experiment)) for kind in (rs.AttentionPattern, rs.HeadReadout, rs.HeadGrid)]
    before = held()

    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(source_of(experiment), "attach", fail)
        with pytest.raises(type(error), match=str(error)):
            kind(experiment)
    assert held() <= before
    # One that fails while it is filled tells why in its own place.
    with monkeypatch.context() as patch:
        patch.setattr(kind, "_payloads", fail)
        broken = filled(kind(experiment))
    assert [(job["of"], job["error"]) for job in experiment.status._jobs] == [(broken._still, str(error))]
    broken.close()
    assert held() <= before
    # The others still answer.
    assert [error for error, _ in asked(others[1], "card/0/L1H1/2").values() if isinstance(error, str)] == []
    for other in others:
        other.close()


def test_a_box_that_fails_closes_itself_and_none_of_the_views_it_was_given(experiment, monkeypatch):
    heads = rs.HeadAttribution(experiment)
    before = held()

    def fail(_thing):
        raise KeyboardInterrupt("stopped")

    with monkeypatch.context() as patch:
        patch.setattr("residscope.views.boxes.rerun.note_made_by_cell", fail)
        with pytest.raises(KeyboardInterrupt, match="stopped"):
            rs.Row([heads])
    assert held() <= before
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
    before = held()
    drawn = random.Random(0)
    for _ in range(60 if what == "Workbench" else 20):
        error, ran = interrupted(make, drawn.randrange(1, int(0.9 * lines)))
        assert error == "KeyboardInterrupt('stopped')", f"{ran} lines were run"
        assert set(widget._instances) <= before
    assert held() <= before
