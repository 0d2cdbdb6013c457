"""Interventions make the edits that they say, on every architecture; their runs are compared part by part."""

import pytest
import torch
from transformer_lens.utilities import get_act_name

import residscope as rs
from residscope.models import Edit, Site
from residscope.models.parts import after_first, mean_of, of_rows
from residscope.runs import trace as trace_module
from tests import architectures, tiny
from tests.runs.test_edits import PROMPTS, Case

CORRUPTED = [PROMPTS[1], PROMPTS[0], "Tom met Mary at the park"]
UNPROCESSED = {"Qwen3.5 (hybrid)"}


@pytest.fixture(scope="module", params=architectures.NAMES)
def case(request):
    return Case(request.param)


@pytest.fixture(scope="module")
def asked(case):
    experiment = rs.Experiment(case.model, PROMPTS, ("a", "b"), corrupted=CORRUPTED)
    yield experiment
    experiment.close()


def at_means(case, *sites, first=False):
    parts = case.parts(*sites)
    return [Edit(site, 0, mean_of(part, case.lengths, first=first)) for site, part in zip(sites, parts, strict=True)]


def expected(case, name):
    """Return edits made by hand, which are compared with plain hooks elsewhere."""
    at, later = case.layer, after_first(case.lengths)
    if name == "zero":
        return [Edit(Site("head", at, 1), 0), Edit(Site("mlp", 0), 0)]
    if name == "mean":
        return at_means(case, Site("head", at, 1, later), Site("attn", at, None, later), Site("mlp", at, None, later))
    if name == "mean of the first position too":
        return at_means(case, Site("mlp", 0), first=True)
    if name == "dose":
        return [edit.dosed(0.25) for edit in at_means(case, Site("head", at, 1, later))]
    if name == "scaled":
        return [Edit(Site("head", at, 1, [-1]), 2.5)]
    assert name == "steered"
    return [Edit(Site("resid_post", 1, None, [-1]), 1, 3 * case.large)]


ASKED = {
    "zero": lambda case: [rs.Ablation([(case.layer, 1), "L0.mlp"], "zero")],
    "mean": lambda case: [rs.Ablation([f"L{case.layer}H1", f"L{case.layer}"])],
    "mean of the first position too": lambda _case: [rs.Ablation("L0.mlp", first=True)],
    "dose": lambda case: [rs.Ablation(f"L{case.layer}H1", dose=0.25)],
    "scaled": lambda case: [rs.Scaling(f"L{case.layer}H1", 2.5, [-1])],
    "steered": lambda case: [rs.Steering(1, case.large, 3, [-1])],
}


@pytest.mark.parametrize("name", ASKED)
def test_an_intervention_is_the_edits_it_says_and_all_checks_hold(case, asked, name):
    run = asked.run(interventions=ASKED[name](case))
    by_hand = rs.Trace(case.model, asked.inputs, target=asked.target, edits=expected(case, name))
    torch.testing.assert_close(run.logits, by_hand.logits, rtol=0, atol=0)
    assert not torch.equal(run.logits, asked.trace.logits)
    checks = [*run.sum_check(), *run.layer_check(), *run.lens_target().checks, *run.changes().checks]
    assert [check.reason for check in checks] == [""] * len(checks)
    assert len(checks) == 4 * len(PROMPTS)


def test_a_head_is_resampled_from_the_corrupted_prompt(case, asked):
    run = asked.run(ablate=f"L{case.layer}H1", kind="resample")
    with_corrupted = Case.__new__(Case)
    vars(with_corrupted).update(vars(case))
    with_corrupted.inputs = rs.Experiment(case.model, CORRUPTED, ("a", "b")).inputs
    site = Site("z", case.layer, 1)
    (part,) = with_corrupted.parts(site)
    edits = [Edit(site, 0, of_rows(part, [0, 1, 2], case.lengths, case.lengths))]
    by_hand = rs.Trace(case.model, asked.inputs, target=asked.target, edits=edits)
    torch.testing.assert_close(run.logits, by_hand.logits, rtol=0, atol=0)
    assert not torch.equal(run.logits, asked.trace.logits)


@pytest.fixture(scope="module")
def demo():
    return rs.load_model("demo")


def mean_z(model, prompts, layer):
    """Return the mean of a layer's z over all tokens but each prompt's first, by TransformerLens' own cache."""
    parts = []
    for prompt in prompts:
        with torch.no_grad():
            _, cache = model.run_with_cache(model.to_tokens(prompt))
        parts.append(cache[get_act_name("z", layer)][0, 1:])
    return torch.cat(parts).mean(0)


@pytest.mark.parametrize("reference", [None, ["Tom met Anna", "When Mary and John went to the store"]])
def test_a_mean_is_over_all_tokens_but_each_prompts_first_by_plain_hooks(demo, reference):
    prompts = PROMPTS[:2]
    experiment = rs.Experiment(demo, prompts, (" Mary", " John"))
    run = experiment.run(ablate=["L3H0", "L1H2"], reference=reference)
    means = {layer: mean_z(demo, reference or prompts, layer) for layer in (1, 3)}

    def off(layer, head):
        def switch_off(z, **_):
            z[:, 1:, head] = means[layer][head]
            return z

        return get_act_name("z", layer), switch_off

    right, wrong = demo.to_single_token(" Mary"), demo.to_single_token(" John")
    for row, prompt in enumerate(prompts):
        with torch.no_grad():
            logits = demo.run_with_hooks(demo.to_tokens(prompt), fwd_hooks=[off(3, 0), off(1, 2)])[0, -1]
        assert float(run.target_value[row]) == pytest.approx(float(logits[right] - logits[wrong]), abs=1e-4)
    experiment.close()


def test_a_vector_from_two_lists_of_prompts_is_their_means_difference(demo):
    lists = (["Mary went to the store", "Anna went to the park"], ["John went to the store"])
    experiment = rs.Experiment(demo, PROMPTS[0], (" Mary", " John"))
    run = experiment.run(steer=(1, lists, 2))

    def mean(prompts):
        parts = []
        for prompt in prompts:
            with torch.no_grad():
                _, cache = demo.run_with_cache(demo.to_tokens(prompt))
            parts.append(cache[get_act_name("resid_post", 1)][0, 1:])
        return torch.cat(parts).mean(0)

    by_hand = experiment.run(steer=(1, mean(lists[0]) - mean(lists[1]), 2))
    torch.testing.assert_close(run.target_value, by_hand.target_value, atol=1e-5, rtol=0)
    assert run.target_value[0] != experiment.trace.target_value[0]
    experiment.close()


def test_another_prompt_stands_in_by_a_seed_where_there_is_no_corrupted_one(demo):
    prompts = [PROMPTS[0], PROMPTS[1], PROMPTS[0].replace("store", "park")]
    experiment = rs.Experiment(demo, prompts, (" Mary", " John"))
    runs = [experiment.run(interventions=rs.Ablation("L3H0", "resample", seed=seed)) for seed in (0, 0, 1, 2, 3)]
    assert torch.equal(runs[0].target_value, runs[1].target_value)
    assert len({tuple(run.target_value.tolist()) for run in runs}) > 1
    experiment.close()


def test_switching_off_and_back_is_the_untouched_run_to_the_bit(demo):
    experiment = rs.Experiment(demo, PROMPTS, (" Mary", " John"))
    untouched = experiment.trace
    experiment.ablate(["L3H0", "L2.mlp"], "zero")
    off = experiment.trace
    assert off.baseline is experiment.baseline
    assert torch.equal(off.baseline.logits, untouched.logits)
    assert not torch.equal(off.logits, untouched.logits)
    experiment.ablate(["L3H0", "L2.mlp"], dose=1)
    assert torch.equal(experiment.trace.logits, untouched.logits)
    experiment.reset()
    assert experiment.trace is experiment.baseline
    assert torch.equal(experiment.trace.logits, untouched.logits)
    assert (experiment.trace.number, experiment.status.run) == (4, 4)
    assert experiment.trace.inputs.interventions == ()
    experiment.close()


def test_the_untouched_run_is_used_again_while_tokens_target_and_weights_are_the_same(monkeypatch):
    done, record = [], trace_module.record
    monkeypatch.setattr(trace_module, "record", lambda *args, **rest: done.append(1) or record(*args, **rest))
    model = tiny.bridge("llama", seed=3)
    experiment = rs.Experiment(model, PROMPTS[0], (" Mary", " John"))

    def forwards(step):
        done.clear()
        step()
        experiment.wait()
        return len(done)

    assert forwards(lambda: None) == 1
    assert forwards(lambda: experiment.ablate("L1H1")) == 1
    assert forwards(lambda: experiment.ablate("L1H2")) == 1
    assert forwards(lambda: experiment.run(ablate="L0H2")) == 1
    assert forwards(experiment.reset) == 0
    assert forwards(experiment.update) == 1
    assert forwards(lambda: experiment.ablate("L1H1")) == 1
    assert forwards(lambda: experiment.update(prompts=PROMPTS[1])) == 2
    assert forwards(lambda: experiment.update(answers=(" John", " Mary"))) == 2
    with torch.no_grad():
        next(iter(model.parameters())).mul_(1.5)
    assert forwards(experiment.update) == 2
    experiment.close()


def test_the_target_stays_what_it_is_on_the_untouched_run(demo):
    experiment = rs.Experiment(demo, PROMPTS[0])
    own = experiment.target
    experiment.ablate(["L3", "L2"], "zero")
    assert experiment.target is own
    assert experiment.trace.target_is_models_own
    top = experiment.trace.logits.topk(2).indices[0].tolist()
    assert top != [own.right[0].ids[0], own.wrong[0].ids[0]], "else this tells nothing"
    experiment.close()


def test_changes_are_read_at_the_untouched_scale_and_the_scale_has_a_row_of_its_own(demo):
    experiment = rs.Experiment(demo, PROMPTS[0], (" Mary", " John"))
    run = experiment.run(ablate="L2H3", kind="zero")
    before, changes = experiment.trace, run.changes()
    columns = dict(zip(changes.labels, changes.values[0].tolist(), strict=True))
    # By hand: an MLP's output along the untouched run's direction, and over its scale.
    tokens = demo.to_tokens(PROMPTS[0])

    def off(z, **_):
        z[:, :, 3] = 0
        return z

    def runs(hooks):
        kept = {}
        names = [*(f"blocks.{layer}.hook_mlp_out" for layer in range(4)), "ln_final.hook_scale"]
        looks = [(name, lambda value, name=name, **_: kept.update({name: value[0, -1]})) for name in names]
        with torch.no_grad():
            demo.run_with_hooks(tokens, fwd_hooks=[*hooks, *looks])
        return kept

    old, new = runs([]), runs([(get_act_name("z", 2), off)])
    right, wrong = demo.to_single_token(" Mary"), demo.to_single_token(" John")
    u = (demo.W_U[:, right] - demo.W_U[:, wrong]) * demo.ln_final.weight / old["ln_final.hook_scale"]
    for layer in range(4):
        moved = (new[f"blocks.{layer}.hook_mlp_out"] - old[f"blocks.{layer}.hook_mlp_out"]) @ u
        assert columns[f"L{layer}.mlp"] == pytest.approx(float(moved.detach()), abs=1e-4)
    assert columns["L1.attn"] == columns["embed"] == 0
    assert columns["L2.attn"] == pytest.approx(-float(before.head_attribution()[0, 2, 3]), abs=1e-4)
    total = float(run.target_value[0] - before.target_value[0])
    assert sum(columns.values()) == pytest.approx(total, abs=1e-4)
    torch.testing.assert_close(changes.heads.sum(-1)[0], torch.tensor([columns[f"L{n}.attn"] for n in range(4)]))
    experiment.close()


def test_what_answers_stands_in_later_layers_and_is_the_largest_change(demo):
    experiment = rs.Experiment(demo, PROMPTS[0], (" Mary", " John"))
    run = experiment.run(ablate=["L1H2", "L2H0"], kind="zero")
    named = run.what_answered(100)
    assert {name.split("H")[0].split(".")[0] for name, _ in named} == {"L2", "L3"}
    sizes = [abs(change) for _, change in named]
    assert sizes == sorted(sizes, reverse=True)
    changes = run.changes()
    assert dict(named)["L3H1"] == pytest.approx(float(changes.heads[0, 3, 1]))
    assert run.what_answered(2) == named[:2]
    assert experiment.run(ablate="L3H0").what_answered() == []
    assert experiment.trace.what_answered() == []
    assert float(experiment.trace.changes().values.abs().max()) == 0
    experiment.close()


def test_the_top_heads_can_be_switched_off(demo):
    experiment = rs.Experiment(demo, PROMPTS[:2], (" Mary", " John"))
    top = experiment.trace.top_heads(3)
    effects = experiment.trace.head_attribution().mean(0).abs()
    assert top == [f"L{at // 8}H{at % 8}" for at in effects.flatten().topk(3).indices.tolist()]
    experiment.ablate(top)
    assert experiment.interventions == (rs.Ablation(top),)
    assert len(experiment.trace.edits) == 3
    experiment.close()


def test_a_with_statement_takes_back_its_own_alone_whatever_is_done_inside(demo):
    experiment = rs.Experiment(demo, PROMPTS[0], (" Mary", " John"))
    experiment.ablate("L3H0")
    with experiment.ablated("L3H0", "zero") as same:
        assert same is experiment
        assert experiment.interventions == (rs.Ablation("L3H0"), rs.Ablation("L3H0", "zero"))
        inside = experiment.trace.target_value
        assert torch.equal(inside, experiment.run(ablate="L3H0", kind="zero").target_value)
        experiment.ablate("L1H2", "zero")
        experiment.scale("L2.mlp", 2)
        experiment.reset("L2.mlp")
        experiment.steer(1, [0.1] * demo.cfg.d_model)
    left = [rs.Ablation("L3H0"), rs.Ablation("L1H2", "zero"), rs.Steering(1, [0.1] * demo.cfg.d_model)]
    assert experiment.interventions == tuple(left)
    with pytest.raises(ZeroDivisionError), experiment.ablated("L0H0"):
        raise ZeroDivisionError
    assert experiment.interventions == tuple(left)
    experiment.reset(left[1])
    assert experiment.interventions == (left[0], left[2])
    experiment.close()
