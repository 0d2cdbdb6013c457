"""What counts as a change of a model: all that moves its numbers, and nothing that it keeps while it runs."""

import threading

import pytest
import torch

import residscope as rs
from residscope import StaleWeightsError
from residscope.models import twin
from residscope.models.changes import snapshot_of
from residscope.models.twin import one_look, twin_of
from tests import architectures, tiny
from tests.settled import asked, filled

PROMPT = "When Mary and John went to the store, John gave a drink to"
TOKENS = torch.tensor([[5, 9, 33, 17, 9, 2, 40, 41]])


def now(bridge):
    return snapshot_of(bridge, bridge.original_model)


def logits(bridge):
    with torch.no_grad():
        return bridge(TOKENS)


def experiment_on(model):
    return rs.Experiment(model, PROMPT, (" Mary", " John"))


@pytest.mark.parametrize("name", architectures.NAMES)
def test_nothing_that_a_model_keeps_while_it_runs_is_a_change(name):
    bridge = architectures.build(name)
    before, seen = now(bridge), []

    def look(_value, hook):
        seen.append(now(bridge).has_parts_of(before) and now(bridge).has_tensors_of(before))

    with bridge.hooks(fwd_hooks=[("blocks.0.hook_in", look), ("blocks.2.hook_out", look)]), torch.no_grad():
        look(None, None)
        bridge(TOKENS)
        bridge.run_with_cache(TOKENS)
        bridge.run_with_hooks(TOKENS, fwd_hooks=[("ln_final.hook_in", look)])
        bridge.original_model.generate(TOKENS, max_new_tokens=2, pad_token_id=0)
    look(None, None)
    assert len(seen) > 6
    assert all(seen)


def test_a_run_asked_within_the_users_own_forward_answers():
    model = tiny.bridge("gpt2")
    experiment = experiment_on(model)
    traces, values = [experiment.run() for _ in range(4)], []

    def ask(_value, hook):
        values.append(traces.pop().head_attribution())

    model.run_with_hooks(TOKENS, fwd_hooks=[("blocks.1.attn.hook_z", ask)])
    with model.hooks(fwd_hooks=[("blocks.0.hook_in", ask)]):
        ask(None, None)
        model.run_with_hooks(TOKENS, fwd_hooks=[])
    expected = experiment.run().head_attribution()
    assert len(values) == 3
    assert all(torch.equal(value, expected) for value in values)
    experiment.close()


def test_a_thousand_answers_beside_a_thread_that_runs_the_model_are_right():
    model = tiny.bridge("gpt2")
    experiment = experiment_on(model)
    trace = experiment.trace
    expected, stop = trace.head_attribution(), threading.Event()

    def run():
        with torch.no_grad():
            while not stop.is_set():
                model.run_with_hooks(TOKENS, fwd_hooks=[("blocks.0.hook_in", lambda value, **_: value)])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(1000):
            trace._memory._kept.clear()  # else only the first would be looked at and computed
            assert torch.equal(trace.head_attribution(), expected)
    finally:
        stop.set()
        thread.join()
        experiment.close()


@pytest.mark.parametrize("name", architectures.NAMES)
def test_every_setting_that_moves_the_logits_is_noticed(name):
    bridge = architectures.build(name)
    before, base, found = now(bridge), logits(bridge), 0
    owners = {type(module): module for module in bridge.original_model.modules()}
    for owner in (*owners.values(), bridge.original_model.config):
        for setting, value in list(vars(owner).items()):
            if setting[0] == "_" or type(value) not in (bool, float) or setting == "training":
                continue
            if setting == "sliding_attention_attention_scaling":  # set by a name that is made while it runs
                continue
            try:
                setattr(owner, setting, not value if isinstance(value, bool) else 2 * value + 0.5)
                moved = not torch.equal(logits(bridge), base)
            except (AttributeError, TypeError, ValueError, IndexError, RuntimeError):
                moved = False
            noticed = not now(bridge).has_parts_of(before)
            setattr(owner, setting, value)
            assert noticed or not moved, (type(owner).__name__, setting)
            found += moved
    assert found
    assert now(bridge).has_parts_of(before)


class Counting(torch.nn.Module):
    """An MLP that keeps count of its runs, as a user may write it."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.scale, self.runs, self.power = inner, 1.0, 0, torch.abs

    def forward(self, x):
        self.runs += 1
        return self.scale * self.inner(x)


def with_counting():
    bridge = tiny.bridge("llama")
    layer = bridge.original_model.model.layers[1].mlp.original_component
    layer.act_fn = Counting(layer.act_fn)
    return bridge, layer.act_fn


def test_a_count_or_a_note_on_a_module_is_no_change_and_a_number_it_was_told_is():
    bridge, counting = with_counting()
    before = now(bridge)
    logits(bridge)
    assert counting.runs
    counting.note, bridge.note = "mine", "mine"
    bridge.original_model.config.use_cache = False
    bridge.original_model.config.pad_token_id = 3
    bridge.set_use_attn_result(True)
    bridge.train().eval()
    assert now(bridge).has_parts_of(before)
    for name, value in (("scale", 2.0), ("scale", torch.tensor(2.0)), ("power", torch.relu)):
        kept = getattr(counting, name)
        setattr(counting, name, value)
        assert not now(bridge).has_parts_of(before)
        setattr(counting, name, kept)
    counting.scale = float("1")
    assert now(bridge).has_parts_of(before), "an equal number is no change"
    counting.forward = lambda x: x
    assert not now(bridge).has_parts_of(before)


def test_a_forward_put_into_a_class_is_a_change(monkeypatch):
    bridge, _ = with_counting()
    before = now(bridge)
    monkeypatch.setattr(Counting, "forward", lambda self, x: self.inner(x))
    assert not now(bridge).has_parts_of(before)


@pytest.fixture
def looks(monkeypatch):
    """How often a model has been walked over."""
    made = []

    def counted(*roots):
        made.append(roots)
        return snapshot_of(*roots)

    monkeypatch.setattr(twin, "snapshot_of", counted)
    return made


def test_one_look_serves_one_call_and_a_change_is_seen_by_the_next(looks):
    model = tiny.bridge("gpt2")
    trace = experiment_on(model).trace
    looks.clear()
    trace.head_attribution()
    assert len(looks) == 1
    trace.logit_lens()
    assert len(looks) == 2
    with one_look():
        trace.layer_check()
        trace.token_attribution()
        with torch.no_grad():
            next(model.parameters()).mul_(2)
        with one_look():
            trace.head_scores("induction")
    assert len(looks) == 3
    with pytest.raises(StaleWeightsError):
        trace.target_curve()


def test_a_view_looks_once_for_a_run_and_once_for_a_click(looks):
    experiment = experiment_on(tiny.bridge("gpt2"))
    experiment.wait()
    looks.clear()
    view = filled(rs.HeadAttribution(experiment))
    assert len(looks) == 1
    view.close()
    readout = filled(rs.HeadReadout(experiment))
    experiment.selection.update(head=(1, 2))
    looks.clear()
    ((said, _),) = asked(readout, *readout._selected_keys(experiment.trace)).values()
    assert said["card"]["head"] == [1, 2]
    assert len(looks) == 1
    readout.close()
    experiment.close()


def test_another_threads_look_that_finds_a_change_ends_what_one_look_serves():
    model = tiny.bridge("gpt2")
    trace = experiment_on(model).trace
    with one_look():
        trace.head_attribution()
        with torch.no_grad():
            next(model.parameters()).mul_(2)

        def look():
            with twin_of(model).use():
                pass

        other = threading.Thread(target=look)
        other.start()
        other.join()
        with pytest.raises(StaleWeightsError):
            trace.layer_check()
