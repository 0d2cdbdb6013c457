"""Every head's causal effect is the target before minus the target after, however many run together."""

import pytest
import torch

import residscope as rs
from residscope.runs import causal
from residscope.runs.causal import causal_effect, causal_effects
from tests import architectures, tiny

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]
CORRUPTED = ["When Mary and John went to the store, Mary gave a drink to", "Mary met Anna at the park"]


def one_by_one(experiment, kind, heads):
    before = experiment.trace.target_value
    in_force = list(experiment.interventions)
    runs = [experiment.run(interventions=[*in_force, rs.Ablation(head, kind)]) for head in heads]
    return torch.stack([before - run.target_value for run in runs], -1)


@pytest.mark.parametrize("kind", ["mean", "zero", "resample"])
@pytest.mark.parametrize("name", ["GPT-2", "Gemma-2", "gpt-oss", "Qwen3.5 (hybrid)"])
def test_each_heads_effect_is_that_of_a_run_without_it(name, kind, monkeypatch):
    # Two prompts and a few heads at a time, with a remainder.
    monkeypatch.setattr(causal, "TOKENS_AT_ONCE", 100)
    experiment = rs.Experiment(architectures.build(name), PROMPTS, ("a", "b"), corrupted=CORRUPTED)
    effects = experiment.causal_effects(kind)
    trace = experiment.trace
    assert effects.shape == (2, trace.n_layers, trace.n_heads)
    heads = [(layer, head) for layer in range(trace.n_layers) for head in range(trace.n_heads)]
    heads = [(layer, head) for layer, head in heads if not trace.head_attribution()[0, layer, head].isnan()]
    expected = one_by_one(experiment, kind, heads)
    got = torch.stack([effects[:, layer, head] for layer, head in heads], -1)
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=0)
    assert int((~effects.isnan()).sum()) == 2 * len(heads)
    experiment.close()


def test_effects_are_on_top_of_what_is_in_force():
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPTS, (" Mary", " John"))
    experiment.ablate("L0.mlp", positions=[[2, -1], [3]])
    experiment.steer(1, [0.5] * tiny.D_MODEL)
    experiment.ablate("L1H1", "zero")
    effects = experiment.causal_effects("zero")
    expected = one_by_one(experiment, "zero", [(1, 0), (1, 1), (2, 3)])
    torch.testing.assert_close(torch.stack([effects[:, 1, 0], effects[:, 1, 1], effects[:, 2, 3]], -1), expected,
                               atol=1e-5, rtol=0)  # fmt: skip
    assert float(effects[:, 1, 1].abs().max()) < 1e-5, "it is off already"
    experiment.close()


def test_effects_come_layer_by_layer_from_the_last_and_are_remembered(monkeypatch):
    monkeypatch.setattr(causal, "TOKENS_AT_ONCE", 4 * 2 * 15)
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPTS, (" Mary", " John"))
    filled = [effects.isnan().all(-1)[0].tolist() for effects in causal_effects(experiment.trace, "mean")]
    assert filled == [[True, True, False], [True, False, False], [False, False, False], [False, False, False]]
    monkeypatch.setattr(causal, "read_logits", None)
    assert len(list(causal_effects(experiment.trace, "mean"))) == 1
    assert torch.equal(causal_effect(experiment.trace, 2, 1, "mean"), experiment.causal_effects()[:, 2, 1])
    experiment.close()


def test_a_kind_that_lacks_its_prompts_is_refused():
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPTS[0], (" Mary", " John"))
    with pytest.raises(rs.InputError, match="nothing to resample row 0 from: give a corrupted prompt"):
        experiment.causal_effects("resample")
    with pytest.raises(rs.InputError, match='the kind of an ablation is "mean", "zero" or "resample"'):
        experiment.causal_effects("median")
    experiment.close()
