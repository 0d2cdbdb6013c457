"""Views made in callbacks live until nobody shows or holds them, and leave no thread, widget or run behind."""

import gc
import itertools
import threading
import time
import weakref

import ipywidgets
import pytest

import residscope as rs
from residscope.live import rerun
from tests import tiny
from tests.held import held

KIND = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture
def running(monkeypatch):
    """Say which cell runs, and by which message; what is displayed goes nowhere."""
    monkeypatch.setattr("IPython.display.publish_display_data", lambda *_args, **_options: None)
    for kept in (rerun._MADE, rerun._SHOWN, rerun._OUTPUTS, rerun._OUTPUTS_OF):
        kept.clear()
    monkeypatch.setattr(rerun, "_follow_cells", lambda: None)

    def run(cell, execution):
        monkeypatch.setattr(rerun, "_running", lambda: (cell, execution))

    run("", "")
    yield run
    for kept in (rerun._MADE, rerun._SHOWN, rerun._OUTPUTS, rerun._OUTPUTS_OF):
        kept.clear()


def made(model):
    """A row of views of an experiment of its own, which nobody else holds."""
    experiment = rs.Experiment(model, "Mary and John", (" Mary", " John"))
    experiment.selection.update(head="1.1")
    return rs.Row([rs.AttentionPattern(experiment), rs.HeadGrid(experiment), rs.TokenStrip(experiment)])


def alive(references):
    """Which of these live, once all but the last have had the time to go: their worker may hold them for a moment."""
    for _ in range(200):
        if not any(reference() for reference in references[:-1]):
            break
        time.sleep(0.05)
    return [reference() is not None for reference in references]


def browser_shows(output, *shown):
    """Tell an `Output` what is in it, as the page does."""
    output.outputs = [{"output_type": "display_data", "data": {KIND: {"model_id": one}}} for one in shown]


def test_a_hundred_moves_of_what_nobody_holds_leave_nothing_even_before_the_garbage_is_collected(model):
    gc.collect()
    before, runs = held(), []
    gc.disable()
    try:
        for _ in range(100):
            row = made(model)
            runs.append(weakref.ref(row.children[0].trace))
        del row
        assert held() <= before
        assert [run() for run in runs] == [None] * 100
    finally:
        gc.enable()


def test_views_in_a_box_of_ipywidgets_live_until_it_holds_others(model):
    box, before = ipywidgets.VBox(), held()
    box.children = [made(model)]
    rows, of_one = [weakref.ref(box.children[0])], len(held() - before)
    for _ in range(10):
        box.children = [made(model)]
        rows.append(weakref.ref(box.children[0]))
    assert alive(rows) == [False] * 10 + [True]
    assert len(held() - before) == of_one
    assert not box.children[0].children[0].closed
    box.children = []
    box.layout.close()
    box.close()


def test_views_made_in_a_thread_end_with_it(model):
    gc.collect()
    before, kept = held(), []
    threads = [threading.Thread(target=lambda: kept.append(made(model)) or made(model)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert not any(view.closed for row in kept for view in row.children)
    kept.clear()
    gc.collect()
    assert held() <= before


def test_what_an_output_shows_lives_until_it_shows_something_else(model, running):
    output = ipywidgets.Output()
    output.msg_id = "move 0"
    before, rows = held(), []
    for move in range(10):
        running("", output.msg_id)
        row = made(model)
        row._ipython_display_()
        rows.append(weakref.ref(row))
        name = row.model_id
        del row
        assert rows[-1]() is not None, "nobody but the output holds it"
        browser_shows(output, name)
        assert alive(rows) == [False] * move + [True]
        output.msg_id = f"move {move + 1}"
    browser_shows(output)
    gc.collect()
    assert held() <= before
    output.layout.close()
    output.close()


def test_what_stands_below_one_another_in_an_output_lives_and_states_in_between_may_be_missed(model, running):
    output = ipywidgets.Output()
    output.msg_id = "message"
    running("", "message")
    rows = []
    for _ in range(3):
        row = made(model)
        row._ipython_display_()
        rows.append(weakref.ref(row))
        del row
    names = [row().model_id for row in rows]
    browser_shows(output, *names[:2])
    assert [row() is not None for row in rows] == [True, True, True], "the third is on its way"
    # The browser has cleared it, and says so only when the third is there.
    browser_shows(output, names[2])
    assert alive(rows) == [False, False, True]
    mine = rows[2]()
    output.layout.close()
    output.close()
    gc.collect()
    assert not mine.closed, "who holds it keeps it"
    mine.close()


def test_what_a_cell_shows_lives_until_it_shows_something_else(model, running):
    before = held()
    runs, rows = itertools.count(1), []
    for _ in range(3):
        running("cell", f"execution {next(runs)}")
        row = made(model)
        row._ipython_display_()
        rows.append(weakref.ref(row))
        del row
        assert alive(rows) == [False] * (len(rows) - 1) + [True]
    running("cell", f"execution {next(runs)}")
    rs.TokenStrip.from_arrays(["a"]).close()
    assert alive([*rows, lambda: None]) == [False] * 4
    assert held() <= before


def test_what_is_shown_where_nobody_can_tell_lives(model, running):
    running("", "")
    row = made(model)
    row._ipython_display_()
    shown = weakref.ref(row)
    del row
    gc.collect()
    assert not shown().children[0].closed
    for child in shown().children:
        child.close()
    shown().close()
