"""An experiment: set an input, read the answer; nothing in between, nothing lost."""

import gc
import threading
import weakref

import pytest

import residscope as rs
from residscope.experiment import source_of
from residscope.live.worker import Cancelled
from residscope.runs import trace
from tests import tiny

PROMPT = "When Mary and John went to the store, John gave a drink to"
SHORT = "Tom met Anna at the park"


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture
def experiment(model):
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    yield experiment
    experiment.close()


class Gate:
    """Holds the worker before each layer until it is opened."""

    def __init__(self, monkeypatch):
        self.reached, self.open = threading.Event(), threading.Event()
        record = trace.record

        def held(*args, step, **options):
            def held_step(done, total):
                self.reached.set()
                self.open.wait()
                step(done, total)

            return record(*args, step=held_step, **options)

        monkeypatch.setattr("residscope.runs.trace.record", held)


@pytest.fixture
def gate(monkeypatch, experiment):
    experiment.wait()
    gate = Gate(monkeypatch)
    yield gate
    gate.open.set()


def test_a_hundred_times_set_then_read_gives_what_was_set(experiment):
    for turn in range(100):
        answer = (" Mary", " John", " Tom", " Anna")[turn % 4]
        experiment.answers = answer
        assert experiment.trace.target.right[0].text == answer
        assert experiment.target is experiment.trace.target
    assert experiment.trace.number == 101


def test_several_inputs_change_together(experiment):
    experiment.update(prompts=[PROMPT, SHORT], answers=[(" Mary", " John"), (" Tom", " Anna")])
    assert experiment.trace.target.names == ["' Mary' − ' John'", "' Tom' − ' Anna'"]
    assert experiment.prompts == (PROMPT, SHORT)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prompts": ""}, "prompts has an empty text"),
        ({"answers": (" Mary", " Mary")}, "the right and the wrong answer are the same"),
        ({"target_position": 99}, "not in every row"),
        ({"corrupted": SHORT}, "make them equally long"),
    ],
    ids=str,
)
def test_refused_input_raises_at_once_and_changes_nothing(experiment, change, sentence):
    before = experiment.trace
    with pytest.raises(rs.InputError, match=sentence):
        experiment.update(**change)
    assert experiment.trace is before
    assert experiment.prompts == (PROMPT,)


def test_one_answer_alone_is_explained_by_its_log_probability_or_on_request_by_its_logit(experiment):
    experiment.update(answers=" Mary")
    experiment.update(target="logit")
    assert experiment.trace.target.names == ["logit(' Mary')"]
    experiment.update(answers=" John")
    assert experiment.trace.target.names == ["logit(' John')"]
    with pytest.raises(rs.InputError, match='target="logit" explains one answer alone'):
        experiment.update(answers=(" Mary", " John"), target="logit")
    with pytest.raises(rs.InputError, match="a target is a Target, or \"logit\", not 'odds'"):
        experiment.update(target="odds")
    experiment.update(answers=(" Mary", " John"))
    assert experiment.trace.target.unit == "logits"
    assert any("explains one answer alone" in warning for warning in experiment.warnings), "it is set aside and named"
    experiment.update(answers=" Mary", target=None)
    assert experiment.trace.target.unit == "nats"


def test_what_may_be_selected_goes_by_the_newest_inputs_before_they_have_run(model, monkeypatch):
    gate = Gate(monkeypatch)
    experiment = rs.Experiment(model, SHORT)
    last = len(experiment.inputs.tokens[0]) - 1
    with pytest.raises(rs.InputError, match=rf"no run shown has position {last + 1}: positions go from 0 to {last}"):
        experiment.selection.update(position=last + 1)
    with pytest.raises(rs.InputError, match=r"no run shown has L9H9: layers go from 0 to"):
        experiment.selection.update(head="9.9")
    experiment.update(prompts=PROMPT)
    experiment.selection.update(position=last + 1)
    gate.open.set()
    assert experiment.trace.lengths > (last + 1,)
    assert experiment.selection.position == last + 1
    experiment.close()


def test_a_misspelt_input_is_refused_with_the_names_there_are(experiment):
    with pytest.raises(TypeError, match="there is no input prompt: the inputs are prompts, answers, corrupted, target"):
        experiment.update(prompt=SHORT)


def test_what_no_longer_fits_a_new_prompt_is_set_aside_and_named(model):
    other = "When Mary and John went to the store, Mary gave a drink to"
    experiment = rs.Experiment(model, [PROMPT, PROMPT], [(" Mary", " John")] * 2, corrupted=[other, other])
    experiment.prompts = SHORT
    assert experiment.answers is None
    assert experiment.inputs.corrupted is None
    assert [warning.split(": ")[1][:14] for warning in experiment.warnings] == ["2 answers for ", "2 corrupted pr"]
    experiment.close()


def test_a_pure_question_moves_nothing(experiment):
    before, status = experiment.trace, dict(experiment.status._header)
    asked = experiment.run(prompts=SHORT, answers=(" Tom", " Anna"))
    assert asked.target.names == ["' Tom' − ' Anna'"]
    assert experiment.trace is before
    assert experiment.status._header == status
    assert experiment.run().target_value.tolist() == before.target_value.tolist()


def test_reads_wait_and_trace_or_none_does_not(experiment, gate):
    old = experiment.trace_or_none
    experiment.prompts = SHORT
    assert gate.reached.wait(30)
    assert experiment.trace_or_none is old
    got = []
    reader = threading.Thread(target=lambda: got.append(experiment.trace))
    reader.start()
    gate.open.set()
    reader.join(30)
    assert got[0].inputs.prompts == (SHORT,)


def test_the_newest_inputs_win_over_a_run_in_progress(experiment, gate):
    experiment.prompts = SHORT
    assert gate.reached.wait(30)
    experiment.prompts = PROMPT + " the"
    gate.open.set()
    assert experiment.trace.inputs.prompts == (PROMPT + " the",)
    assert experiment.status.run == experiment.trace.number == 3


def test_a_reader_that_waits_for_a_superseded_run_gets_the_newest(experiment, gate):
    experiment.prompts = SHORT
    assert gate.reached.wait(30)
    waits, got = threading.Event(), []
    waiting = source_of(experiment)._ticket
    wait = waiting.wait
    waiting.wait = lambda timeout=None: (waits.set(), wait(timeout))[1]
    reader = threading.Thread(target=lambda: got.append(experiment.trace))
    reader.start()
    assert waits.wait(30)
    experiment.prompts = PROMPT + " the"
    gate.open.set()
    reader.join(30)
    assert isinstance(waiting.error, Cancelled)
    assert got[0].inputs.prompts == (PROMPT + " the",)


def test_cancel_ends_the_wait_and_keeps_the_last_picture(experiment, gate):
    old = experiment.trace_or_none
    experiment.prompts = SHORT
    assert gate.reached.wait(30)
    experiment.status.set_state({"_cancel": source_of(experiment)._ticket.version})
    gate.open.set()
    with pytest.raises(Cancelled, match="Cancelled: change an input"):
        _ = experiment.trace
    assert experiment.trace_or_none is old
    assert "Cancelled" in experiment.status._error["message"]
    experiment.update()
    assert experiment.trace.inputs.prompts == (SHORT,)
    assert experiment.status._error is None


def test_an_error_of_the_run_is_raised_by_reads_and_told_in_the_status(experiment, monkeypatch):
    old = experiment.trace

    def fail(*_args, **_options):
        raise RuntimeError("the card is on fire")

    with monkeypatch.context() as broken:
        broken.setattr("residscope.runs.trace.record", fail)
        experiment.prompts = SHORT
        with pytest.raises(RuntimeError, match="the card is on fire"):
            _ = experiment.trace
        assert experiment.status._error == {"run": 2, "message": "the card is on fire"}
    assert experiment.trace_or_none is old
    experiment.update()
    assert experiment.trace.inputs.prompts == (SHORT,)


def test_on_run_is_called_with_each_run_and_outside_every_lock(experiment):
    seen, reads = [], []
    arrived = threading.Event()

    def callback(trace):
        seen.append(trace.number)
        reads.append(experiment.trace.number)  # on the worker's own thread a read gives the run in hand
        other = threading.Thread(target=lambda: reads.append(experiment.trace.number))
        other.start()
        other.join(30)
        arrived.set()

    undo = experiment.on_run(callback)
    experiment.update()
    assert arrived.wait(30)
    assert seen == [2]
    assert reads == [2, 2]
    undo()
    experiment.update()
    _ = experiment.trace
    assert seen == [2]


def test_an_observer_of_the_selection_that_fails_stops_nothing(experiment, caplog):
    experiment.selection.update(position=10)

    def fail(_change):
        raise ZeroDivisionError

    experiment.selection.observe(fail, "position")
    experiment.update(prompts=SHORT)
    assert experiment.trace.number == experiment.status.run == 2


def test_an_experiment_whose_last_run_failed_is_freed(model, monkeypatch):
    experiment = rs.Experiment(model, PROMPT)
    _ = experiment.trace
    with monkeypatch.context() as broken:
        broken.setattr("residscope.runs.trace.record", lambda *_args, **_options: 1 / 0)
        experiment.update(prompts=SHORT)
        for _turn in range(3):
            with pytest.raises(ZeroDivisionError) as caught:
                _ = experiment.trace
        assert len(caught.traceback) < 12, "each read starts from the job's own traceback"
        del caught
    experiment.selection.close()
    experiment.status.close()
    thread, reference = source_of(experiment)._worker._thread, weakref.ref(experiment)
    del experiment
    gc.collect()
    assert reference() is None
    thread.join(30)
    assert not thread.is_alive()


def test_a_failing_callback_stops_nothing(experiment, caplog):
    failed = threading.Event()

    def callback(_trace):
        failed.set()
        raise ValueError("mine")

    experiment.on_run(callback)
    experiment.update()
    assert experiment.trace.number == 2
    assert failed.wait(30)
    experiment.update()
    assert experiment.trace.number == 3


def test_the_status_tells_the_run_its_tokens_and_its_model(experiment):
    trace = experiment.trace
    header = experiment.status._header
    assert header["number"] == experiment.status.run == trace.number
    row = header["rows"][0]
    assert "".join(header["texts"][str(token)] for token in row["ids"][1:]) == PROMPT
    assert row["target_position"] == 14
    assert row["target"]["value"] == pytest.approx(float(trace.target_value[0]))
    assert row["right"]["text"] == " Mary"
    probs = trace.logits[0].softmax(-1)
    right = trace.target.right[0].ids[0]
    assert row["right_prob"] == pytest.approx(float(probs[right]))
    assert row["right_rank"] == int((probs > probs[right]).sum())
    assert header["model"]["name"] == "tiny-llama"
    assert header["model"]["processing"] == "raw weights"
    assert header["depths"] == trace.depths


def test_a_model_that_is_no_bridge_is_refused_with_the_way_to_make_one(model):
    class HookedTransformer:
        pass

    with pytest.raises(rs.InputError, match=r"HookedTransformer is not supported.*boot_transformers"):
        rs.Experiment(HookedTransformer(), PROMPT)
    with pytest.raises(rs.InputError, match=r"a model is a TransformerBridge.*not str"):
        rs.Experiment("demo", PROMPT)
    target = rs.Experiment(model, PROMPT).trace.target
    with pytest.raises(rs.InputError, match="target and answers cannot be combined"):
        rs.Experiment(model, PROMPT, " Mary", target=target)


def test_a_closed_experiment_says_so_and_leaves_nothing_behind(model):
    experiment = rs.Experiment(model, PROMPT)
    left = [weakref.ref(thing) for thing in (experiment.trace, experiment.selection, experiment.status, experiment)]
    experiment.close()
    with pytest.raises(RuntimeError, match="closed: make a new one"):
        experiment.update(prompts=SHORT)
    assert experiment.prompts == (PROMPT,)
    thread = source_of(experiment)._worker._thread
    thread.join(30)
    assert not thread.is_alive()
    del experiment
    gc.collect()
    assert [reference() for reference in left] == [None] * 4


def test_an_experiment_nobody_holds_ends_its_thread(model):
    experiment = rs.Experiment(model, PROMPT)
    _ = experiment.trace
    thread = source_of(experiment)._worker._thread
    experiment.selection.close()
    experiment.status.close()
    del experiment
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


def test_a_closed_experiment_says_so():
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPT)
    experiment.wait()
    experiment.close()
    assert "closed" in repr(experiment)
    for ask in (experiment.update, experiment.back, experiment.forward):
        with pytest.raises(RuntimeError, match="this experiment is closed: make a new one"):
            ask()


def test_tab_shows_what_a_user_needs_and_nothing_else():
    shown = {name for name in dir(rs.Experiment) if not name.startswith("_")}
    reads = {"answers", "baseline", "history", "inputs", "prompts", "question", "selection", "status", "target"}
    reads |= {"interventions", "trace", "trace_or_none", "warnings"}
    intervenes = {"ablate", "ablated", "causal_effects", "reset", "scale", "steer"}
    does = {"back", "cancel", "close", "fork", "forward", "from_cache", "on_run", "run", "update", "wait"}
    assert shown == reads | does | intervenes
    assert all(getattr(rs.Experiment, name).__doc__ for name in shown)
