"""The twin: same numbers, no hooks, and never in the way of a user's own thread."""

import functools
import threading

import pytest
import torch

from residscope import Experiment, Trace
from residscope.inputs.reader import Reader
from residscope.models.twin import twin_of, users_hooks
from tests import architectures, tiny

PROMPT = "When Mary and John went to the store, John gave a drink to"


def value(model):
    inputs = Reader(model).parse(PROMPT, (" Mary", " John"), None, None)
    return float(Trace(model, inputs).target_value[0])


def zero_z(z, **_):
    return torch.zeros_like(z)


def state_of(model):
    hooks = {name: len(point.fwd_hooks) for name, point in model.hook_dict.items()}
    return {key: tensor.clone() for key, tensor in model.original_model.state_dict().items()}, hooks


def test_the_users_model_is_never_changed():
    model = tiny.bridge("gpt2")
    tokens = torch.tensor([[0, 300, 301, 302]])
    weights, hooks = state_of(model)
    logits = model(tokens).detach()
    experiment = Experiment(model, PROMPT, (" Mary", " John"))
    trace = experiment.trace
    trace.logit_lens()
    trace.head_attribution()
    trace.attention(0)
    experiment.close()
    weights_after, hooks_after = state_of(model)
    assert hooks_after == hooks
    assert weights_after.keys() == weights.keys()
    assert all(torch.equal(weights_after[key], weights[key]) for key in weights)
    assert torch.equal(model(tokens).detach(), logits)


@pytest.mark.parametrize("name", ["GPT-2", "GPT-NeoX", "BLOOM", "Phi-3", "GPT-J"])
def test_nothing_of_the_users_model_is_set_while_it_is_copied(name, monkeypatch):
    model = architectures.build(name)
    users = {id(module): module for module in (*model.modules(), *model.original_model.modules())}
    written, write = [], torch.nn.Module.__setattr__

    def noted(module, attribute, value):
        if id(module) in users:
            written.append((type(module).__name__, attribute))
        write(module, attribute, value)

    monkeypatch.setattr(torch.nn.Module, "__setattr__", noted)
    with twin_of(model).use() as twin:
        assert not users.keys() & {id(module) for module in (*twin.modules(), *twin.original_model.modules())}
    assert written == []


def test_the_twin_shares_every_weight():
    model = tiny.bridge("llama")
    with twin_of(model).use() as twin:
        assert twin is not model
        mine, theirs = list(twin.parameters()), list(model.parameters())
        assert len(mine) == len(theirs) > 0
        assert all(a is b for a, b in zip(mine, theirs, strict=True))
    assert twin_of(model) is twin_of(model)


def test_a_hook_active_while_the_twin_is_made_is_not_on_it():
    model, fresh = tiny.bridge("gpt2"), tiny.bridge("gpt2")
    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", zero_z)]):
        inside = value(model)
    assert inside == value(fresh)
    assert value(model) == inside


def test_what_the_users_hooks_hold_is_never_copied():
    model, fresh = tiny.bridge("gpt2"), tiny.bridge("gpt2")
    kept, lock = [], threading.Lock()

    def keep(value, hook):
        with lock:
            kept.append(value)

    model.add_hook("blocks.0.hook_in", functools.partial(keep))
    model.original_model.register_forward_hook(functools.partial(lambda _lock, *_: None, lock))
    model(torch.tensor([[0, 1, 2]]))
    assert value(model) == value(fresh)
    assert len(kept) == 1


def test_the_tokenizer_is_a_copy_that_the_users_calls_do_not_change():
    model = tiny.bridge("gpt2")
    expected = value(model)
    model.tokenizer([PROMPT, "a"], padding=True, truncation=True, max_length=4)
    assert value(model) == expected


def test_a_padding_token_outside_the_vocabulary_is_never_used():
    model = tiny.bridge("gpt2")
    model.tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert model.tokenizer.pad_token_id >= model.cfg.d_vocab
    Experiment(model, [PROMPT, "a"]).trace.logit_lens()


def test_the_callers_modes_do_not_leak_into_a_run():
    model = tiny.bridge("gpt2")
    expected = value(model)
    with torch.autocast("cpu", torch.bfloat16):
        assert value(model) == expected
    with torch.inference_mode():
        trace = Experiment(model, PROMPT).run()
    assert not trace.logits.is_inference()


def test_hooks_are_named_once_and_left_out():
    model, fresh = tiny.bridge("gpt2"), tiny.bridge("gpt2")
    assert users_hooks(model) == []
    model.add_hook("blocks.1.attn.hook_z", zero_z, is_permanent=True)
    model.add_hook("blocks.0.hook_mlp_out", zero_z)
    assert value(model) == value(fresh)
    trace = Trace(model, Reader(model).parse(PROMPT, None, None, None))
    (warning,) = trace.warnings
    assert warning.startswith("Shown without the hooks on blocks.0.hook_mlp_out, blocks.1.attn.hook_z: ")
    model.reset_hooks()
    assert users_hooks(model) == ["blocks.1.attn.hook_z"]
    fresh.run_with_cache(torch.arange(3, 9)[None])
    assert users_hooks(fresh) == []


def own_value(model):
    """Return what the user's own forward says of the same target."""
    inputs = Reader(model).parse(PROMPT, (" Mary", " John"), None, None)
    (pair,) = inputs.answers
    right, wrong = pair.right.ids[0], pair.wrong.ids[0]
    with torch.no_grad():
        logits = model(torch.tensor([inputs.tokens[0]]))[0, -1]
    return float(logits[right] - logits[wrong])


def test_the_twin_follows_compatibility_mode_a_new_dtype_and_edits_of_either():
    model = tiny.bridge("gpt2")
    seen = [value(model)]

    def scale():
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.1)

    for change in (scale, model.enable_compatibility_mode, scale, lambda: model.to(torch.float64), scale):
        change()
        seen.append(value(model))
        assert abs(seen[-1] - own_value(model)) < 1e-4
    assert len({round(one, 3) for one in seen}) == 4, "scaling moves the number, compatibility mode and dtype do not"


def fingerprint(model):
    with twin_of(model).use():
        return twin_of(model).weights


def test_an_edit_through_data_is_noticed_though_it_bumps_no_version():
    model = tiny.bridge("gpt2")
    for name, parameter in model.named_parameters():
        before = fingerprint(model)
        parameter.data.mul_(1.5)
        assert fingerprint(model) != before, name


def test_an_edit_in_place_reaches_the_twin():
    model = tiny.bridge("llama")
    first = value(model)
    with torch.no_grad():
        next(model.parameters()).mul_(1.5)
    assert value(model) != first


def test_a_thread_that_ablates_on_the_model_and_experiments_on_the_twin_never_mix():
    """200 rounds on either side, right on both: one shared model was wrong 200 times of 200."""
    model = tiny.bridge("llama")
    tokens = torch.tensor([[0, 300, 301, 302, 303]])
    hooks = [("blocks.0.attn.hook_z", zero_z)]
    with torch.no_grad():
        ablated = model.run_with_hooks(tokens, fwd_hooks=hooks)
    experiment = Experiment(model, PROMPT, (" Mary", " John"))
    expected = {"a": float(experiment.trace.target_value[0])}
    other = "When Tom and Mary went to the park, Tom gave a book to"
    expected["b"] = float(experiment.run(prompts=other).target_value[0])
    assert expected["a"] != expected["b"]
    stop, wrong, rounds = threading.Event(), [], []

    def ablate():
        with torch.no_grad():
            while not stop.is_set() or len(rounds) < 200:
                rounds.append(1)
                if not torch.equal(model.run_with_hooks(tokens, fwd_hooks=hooks), ablated):
                    wrong.append(1)

    thread = threading.Thread(target=ablate)
    thread.start()
    mistakes = 0
    try:
        for turn in range(200):
            which = "ab"[turn % 2]
            experiment.update(prompts=PROMPT if which == "a" else other)
            mistakes += float(experiment.trace.target_value[0]) != expected[which]
    finally:
        stop.set()
        thread.join()
        experiment.close()
    assert (mistakes, len(wrong)) == (0, 0)
    assert len(rounds) >= 200


@pytest.mark.parametrize("name", ["OPT", "Granite"])
def test_hook_points_that_transformer_lens_feeds_by_hooks_of_its_own_work_on_the_twin(name):
    model = architectures.build(name)
    tokens = torch.arange(3, 9)[None]
    _, cache = model.run_with_cache(tokens)  # TransformerLens sets such hooks at the first run
    points = [point for point in cache if point.startswith("blocks.1.")]
    reached = set()
    hooks = [(point, lambda _value, point=point, **_: reached.add(point)) for point in points]
    with twin_of(model).use() as twin:
        twin.run_with_hooks(tokens, fwd_hooks=hooks)
    assert reached == set(points)
    assert users_hooks(model) == []
