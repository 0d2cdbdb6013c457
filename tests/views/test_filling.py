"""Nothing waits for another: views fill as numbers come, in the order in which they are looked at."""

import base64
import threading

import pytest
import torch

import residscope as rs
from residscope.experiment import source_of
from residscope.live.worker import Cancelled, Ticket
from residscope.models.twin import twin_of
from residscope.runs import trace as trace_module
from residscope.views.logit_lens import LogitLens
from tests.settled import answers, asked, filled, read, settle
from tests.tiny import PROMPTS


@pytest.fixture
def by_position(monkeypatch):
    """Let the lens read one position at a time, as it does of a large vocabulary."""
    monkeypatch.setattr("residscope.views.lens_grid.CHUNK_BYTES", 1)


class Gate:
    """Holds each call of a function until it is opened; lists what was asked for.

    Attributes:
        reached: set when a call waits.
        open: set to let all go on.
    """

    def __init__(self, monkeypatch, owner, name, after=0):
        self.reached, self.open, self.calls, self.threads = threading.Event(), threading.Event(), [], []
        real = getattr(owner, name)

        def held(*args, **options):
            self.calls.append(args)
            self.threads.append(threading.current_thread())
            if len(self.calls) > after:
                self.reached.set()
                assert self.open.wait(60)
            return real(*args, **options)

        monkeypatch.setattr(owner, name, held)


class Watch:
    """Looks at each end of a turn whether a job has left anything behind.

    Attributes:
        left: of each job that yielded, (its kind, whether the lock was free, the hooks, whether gradients are on).
    """

    def __init__(self, monkeypatch, model):
        self.left, turn = [], Ticket.turn

        def hooks():
            with twin_of(model).use() as twin:
                points = {id(point): point for point in twin.hook_dict.values()}
                return [
                    hook
                    for point in points.values()
                    for hook in [*point.fwd_hooks, *point.bwd_hooks]
                    if not str(hook.user_hook.__module__).startswith("transformer_lens.")
                ]

        def is_free():
            got = []
            lock = twin_of(model).lock
            other = threading.Thread(target=lambda: got.append(lock.acquire(blocking=False) and not lock.release()))
            other.start()
            other.join()
            return got[0]

        def watched(ticket, *around):
            turn(ticket, *around)
            if not ticket.done:
                self.left.append((ticket.kind.split()[0], is_free(), hooks(), torch.is_grad_enabled()))

        monkeypatch.setattr(Ticket, "turn", watched)


@pytest.mark.usefixtures("by_position")
def test_a_job_that_yields_leaves_lock_hooks_and_gradient_mode_as_they_were(model, monkeypatch):
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 10)
    watch = Watch(monkeypatch, model)
    experiment = rs.Experiment(model, PROMPTS, (" Mary", " John"))
    bench = rs.Workbench(experiment)
    filled(bench.children[0])
    asked(bench.children[2], "pattern/0/L0H1/direct effect", "pattern/1/L1H1/value-weighted")
    experiment.close()
    assert len(watch.left) > 20
    assert {kind for kind, *_ in watch.left} == {"show", "ask"}
    assert {(free, len(hooks), gradients) for _, free, hooks, gradients in watch.left} == {(True, 0, True)}


def test_what_a_job_would_leave_behind_is_seen(model, monkeypatch):
    experiment = rs.Experiment(model, PROMPTS[0])
    experiment.wait()
    watch = Watch(monkeypatch, model)

    def leaky(_ticket):
        with twin_of(model).use():
            yield

    assert source_of(experiment).ask("leaky", leaky).wait(60)
    experiment.close()
    assert [(kind, free, gradients) for kind, free, _, gradients in watch.left] == [("leaky", False, False)]


def test_a_new_workbench_waits_for_nothing(model, monkeypatch):
    gate = Gate(monkeypatch, trace_module, "record")
    experiment = rs.Experiment(model, PROMPTS[0], (" Mary", " John"))
    assert gate.reached.wait(60)
    bench = rs.Workbench(experiment)
    assert [view._data for view in bench.children] == [b""] * 7
    assert experiment.selection.head is None
    gate.open.set()
    for view in bench.children:
        assert read(filled(view)._data)[0] == 1
    effects = experiment.trace.head_attribution()[0].abs()
    assert effects[experiment.selection.head] == effects.max()
    assert list(answers(bench.children[3])) == ["card/0/L{}H{}/14".format(*experiment.selection.head)]
    experiment.close()


@pytest.mark.usefixtures("by_position")
def test_the_lens_reads_the_targets_column_first_then_what_is_asked_for_then_the_rest(experiment, monkeypatch):
    experiment.wait()
    gate = Gate(monkeypatch, trace_module.Trace, "lens_cells", after=2)
    lens = LogitLens(experiment)
    assert gate.reached.wait(60)
    sent = read(lens._data)
    assert [sent[2][f"top_ids.{row}"].shape[1] for row in (0, 1)] == [1, 1], "the columns are on their way already"
    lens.set_state({"_ask": {"id": 1, "run": 1, "keys": ["cells/0/0/2"]}})
    heads = rs.HeadAttribution(experiment)
    gate.open.set()
    filled(lens)
    lengths = experiment.trace.lengths
    order = [(row, start) for _, row, start, *_ in gate.calls]
    assert order[:2] == [(row, length - 1) for row, length in enumerate(lengths)]
    assert order[2:5] == [(0, lengths[0] - 2), (0, 1), (0, 0)], "the one that was going on, and what is on screen"
    assert order[5] == (0, lengths[0] - 3)
    assert len(order) == len(set(order)) == sum(lengths), "nothing twice"
    assert lens._is_complete()
    assert heads._is_complete()
    whole = experiment.trace.logit_lens(10)
    for row, length in enumerate(lengths):
        assert (read(lens._data)[2][f"top_ids.{row}"] == whole.top_ids[row, :, :length].numpy()).all()


@pytest.mark.usefixtures("by_position")
def test_a_click_while_the_lens_is_read_is_answered_before_it_is_complete(experiment, monkeypatch):
    card = filled(rs.HeadReadout(experiment))
    gate = Gate(monkeypatch, trace_module.Trace, "lens_cells", after=3)
    lens, answered = LogitLens(experiment), threading.Event()
    assert gate.reached.wait(60)
    complete = []
    card.observe(lambda _change: (complete.append(lens._is_complete()), answered.set()), "_answer")
    card.set_state({"_ask": {"id": 1, "run": 1, "keys": ["card/0/L1H1/3"]}})
    gate.open.set()
    assert answered.wait(60)
    assert complete == [False]
    filled(lens)
    assert lens._is_complete()


@pytest.mark.usefixtures("by_position")
def test_cancel_of_one_job_leaves_the_others(experiment, monkeypatch):
    experiment.wait()
    gate = Gate(monkeypatch, trace_module.Trace, "lens_cells", after=3)
    first, second = LogitLens(experiment), LogitLens(experiment)
    assert gate.reached.wait(60)
    source = source_of(experiment)
    experiment.status.set_state({"_cancel": source.showing(first._still).version})
    gate.open.set()
    settle(experiment)
    assert isinstance(source.showing(first._still).error, Cancelled)
    assert source.showing(second._still).error is None
    assert (first._is_complete(), second._is_complete()) == (False, True)
    ((of, error),) = [(job["of"], job["error"]) for job in experiment.status._jobs]
    assert of == first._still
    assert error.startswith("Cancelled")
    assert experiment.status._error is None


@pytest.mark.usefixtures("by_position")
def test_a_newer_run_stops_what_is_read_of_an_older_one(experiment, monkeypatch):
    experiment.wait()
    gate = Gate(monkeypatch, trace_module.Trace, "lens_cells", after=2)
    lens = LogitLens(experiment)
    assert gate.reached.wait(60)
    old = source_of(experiment).showing(lens._still)
    experiment.update(prompts="Tom met")
    gate.open.set()
    filled(lens)
    assert isinstance(old.error, Cancelled)
    assert read(lens._data)[0] == 2
    assert experiment.status._jobs == []
    assert len(gate.calls) == 3 + experiment.trace.lengths[0]


def test_whoever_is_told_of_a_run_can_wait_for_a_view_to_show_it(experiment):
    view, source, shown = filled(rs.HeadAttribution(experiment)), source_of(experiment), []

    def told(_change):
        shown.append((source.now().number, source.showing(view._still).about["run"]))

    experiment.status.observe(told, "run")
    experiment.update()
    number = experiment.trace.number
    settle(experiment)
    experiment.status.unobserve(told, "run")
    assert shown == [(number, number)]


def test_a_question_to_a_closed_experiment_is_answered_with_the_reason(experiment):
    view = filled(rs.HeadReadout(experiment))
    experiment.close()
    view.set_state({"_ask": {"id": 1, "run": 1, "keys": ["card/0/L1H1/3"]}})
    assert answers(view) == {"card/0/L1H1/3": ("this experiment is closed: make a new one", {})}


@pytest.fixture
def published(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda data, *_, **options: shown.append((data, options))
    )
    return shown


@pytest.mark.usefixtures("by_position")
def test_the_frame_is_shown_at_once_the_picture_after_the_run_and_once_more_when_it_is_complete(
    model, monkeypatch, published
):
    run = Gate(monkeypatch, trace_module, "record")
    cells = Gate(monkeypatch, trace_module.Trace, "lens_cells", after=1)
    experiment = rs.Experiment(model, PROMPTS[0], (" Mary", " John"))
    bench = rs.Workbench(experiment)
    showing = threading.Thread(target=bench._ipython_display_)
    showing.start()
    assert run.reached.wait(60)
    while len(published) < 2:
        showing.join(0.01)
    (frame, _), (waiting, options) = published
    assert "application/vnd.jupyter.widget-view+json" in frame
    assert waiting["text/plain"] == "residscope: running"
    assert options == {"transient": {"display_id": bench._still}, "update": False}
    run.open.set()
    showing.join(60)
    assert not showing.is_alive(), "the cell ends while the lens is read"
    assert len(published) == 3
    first, options = published[2]
    assert options == {"transient": {"display_id": bench._still}, "update": True}
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")
    assert "; all heads together " in first["text/plain"]
    assert f'data-still="{bench._still}"' in first["text/html"]
    cells.open.set()
    settle(experiment)
    assert len(published) == 4
    assert published[3][1] == options
    assert published[3][0]["image/png"] != first["image/png"]
    worker = source_of(experiment)._worker._thread
    assert set(cells.threads) == {worker}
    assert len(cells.calls) == experiment.trace.lengths[0], "nothing is read for a picture alone"
    experiment.close()


def test_what_is_complete_is_shown_with_its_picture(experiment, published):
    heads = filled(rs.HeadAttribution(experiment))
    heads._ipython_display_()
    settle(experiment)
    assert [set(data) >= {"image/png"} for data, _ in published] == [False, True]


def test_an_error_of_the_run_is_raised_where_a_view_is_shown(experiment, monkeypatch, published):
    experiment.wait()

    def fail(*_args, **_options):
        raise RuntimeError("the card is on fire")

    monkeypatch.setattr(trace_module, "record", fail)
    experiment.update()
    with pytest.raises(RuntimeError, match="the card is on fire"):
        rs.HeadAttribution(experiment)._ipython_display_()
