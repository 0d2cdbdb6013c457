"""What heads take from each token, against plain torch, and refused where nothing can be credited."""

import pytest
import torch

import residscope as rs
from residscope.inputs.reader import Reader
from residscope.runs import sources
from tests import architectures, tiny

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]
ANSWERS = {"difference": (" Mary", " John"), "log-probability": " Mary"}
GATED = "Qwen3.5 (hybrid)"


def trace_of(model, kind="difference", prompts=PROMPTS):
    return rs.Trace(model, Reader(model).parse(prompts, ANSWERS[kind], None, None))


@pytest.fixture(scope="module", params=tiny.ARCHITECTURES)
def case(request):
    trace = trace_of(tiny.bridge(request.param))
    return trace, [tiny.forward(request.param, list(row)) for row in trace.inputs.tokens]


def test_the_split_is_the_weight_times_the_value_along_the_direction(case):
    trace, forwards = case
    for row, f in enumerate(forwards):
        w = (f.W_U[:, trace.target.right[row].ids[0]] - f.W_U[:, trace.target.wrong[row].ids[0]]) * f.norm.weight
        w = w - w.mean() if f.norm.centred else w
        n = len(f.norm.scale)
        expected = f.patterns * (f.value_parts @ w)[:, :, None, :] / f.norm.scale[:, None]
        for layer in range(trace.n_layers):
            got = trace.source_split(layer)[row, :, :n, :n]
            torch.testing.assert_close(got, expected[layer].float(), atol=2e-4, rtol=1e-3)
        got = trace.token_attribution()[row, :, :, :n]
        torch.testing.assert_close(got, expected[:, :, -1].float(), atol=2e-4, rtol=1e-3)


def test_value_weighting_is_the_weight_times_the_length_of_the_value_through_w_o(case):
    trace, forwards = case
    for row, f in enumerate(forwards):
        n = len(f.norm.scale)
        expected = f.patterns * f.value_parts.norm(dim=-1)[:, :, None, :]
        for layer in range(trace.n_layers):
            got = trace.value_weighted(layer)[row, :, :n, :n]
            torch.testing.assert_close(got, expected[layer].float(), atol=2e-4, rtol=1e-3)


def test_padding_is_blank(case):
    trace, forwards = case
    short = len(forwards[1].norm.scale)
    assert trace.token_attribution()[1, :, :, short:].isnan().all()
    for of_layer in (trace.source_split(0), trace.value_weighted(0)):
        assert of_layer[1, :, short:].isnan().all()
        assert of_layer[1, :, :, short:].isnan().all()


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("name", [name for name in architectures.NAMES if name != GATED])
def test_the_split_sums_to_the_heads_effects_on_every_architecture(name, kind):
    trace = trace_of(architectures.build(name), kind)
    effects, split = trace.head_attribution(), trace.token_attribution()
    torch.testing.assert_close(split.nansum(-1), effects, atol=2e-5, rtol=1e-4)
    for layer in range(trace.n_layers):
        for row, position in enumerate(trace.target.positions):
            torch.testing.assert_close(
                trace.source_split(layer)[row, :, position], split[row, layer], equal_nan=True, atol=2e-6, rtol=1e-5
            )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["GPT-2", "Gemma-2", "gpt-oss"])
def test_sixteen_bits_split_as_well(name, dtype):
    trace = trace_of(architectures.build(name, dtype=dtype))
    effects = trace.head_attribution()
    error = (trace.token_attribution().nansum(-1) - effects).abs().max() / effects.abs().max()
    assert float(error) < 4 * torch.finfo(dtype).eps


def test_a_gate_between_values_and_output_is_refused_with_the_reason():
    trace = trace_of(architectures.build(GATED))
    for ask in (trace.token_attribution, lambda: trace.source_split(2), lambda: trace.value_weighted(2)):
        with pytest.raises(
            rs.NoSplitError, match="a gate, a clip, a norm or a hook stands between the values and the output"
        ):
            ask()
    assert trace.source_split(0).isnan().all(), "a layer without heads has nothing to split"
    assert trace.head_scores("previous token")[:, :2].isnan().all()
    assert not trace.head_scores("previous token")[:, 2].isnan().any()


def test_only_the_newest_layers_stay_in_memory():
    trace = trace_of(tiny.bridge("demo"))
    for ask in (trace.source_split, trace.value_weighted, trace.source_split):
        for layer in range(trace.n_layers):
            ask(layer)
    kept = [key for key in trace._memory.keys if key[0] in ("split", "weighted")]
    assert len(kept) == 8


def test_head_scores_are_the_attention_paid_to_the_keys_of_their_kind():
    trace = trace_of(tiny.bridge("gpt2"), prompts=["the cat saw the cat and the dog"] * 2)
    ids = list(trace.inputs.tokens[0])
    patterns = tiny.forward("gpt2", ids).patterns
    first = 1 if trace.inputs.bos is not None else 0
    paid = {"previous token": [], "duplicate token": [], "induction": []}
    for q, token in enumerate(ids):
        before = [k for k in range(first, q) if ids[k] == token]
        after = [k + 1 for k in before if k + 1 < q]
        for kind, keys in (
            ("previous token", [q - 1] if q > first else []),
            ("duplicate token", before),
            ("induction", after),
        ):
            if keys:
                paid[kind].append(patterns[:, :, q, keys].sum(-1))
    for kind, values in paid.items():
        expected = torch.stack(values).mean(0).float()
        torch.testing.assert_close(trace.head_scores(kind)[0], expected, atol=1e-5, rtol=1e-4)


def test_the_same_tokens_have_the_same_scores_whatever_they_were_written_as():
    model, text = tiny.bridge("gpt2"), "the cat saw the cat and the dog"
    of_text = rs.Experiment(model, text)
    ids = torch.tensor(of_text.trace.inputs.tokens)
    assert ids[0, 0] == model.tokenizer.bos_token_id
    with torch.no_grad():
        _, cache = model.run_with_cache(ids)
    of_ids, of_cache = rs.Experiment(model, ids), rs.Experiment.from_cache(model, cache, ids)
    for kind in ("previous token", "duplicate token", "induction"):
        scores = of_text.trace.head_scores(kind)
        assert torch.equal(of_ids.trace.head_scores(kind), scores)
        assert torch.equal(of_cache.trace.head_scores(kind), scores)
    for exp in (of_text, of_ids, of_cache):
        exp.close()


def test_a_prompt_that_repeats_nothing_has_no_score():
    trace = trace_of(tiny.bridge("gpt2"), prompts=["Tom met Anna"] * 2)
    assert trace.head_scores("induction").isnan().all()
    assert not trace.head_scores("previous token").isnan().any()


def test_on_random_repeats_the_induction_score_is_the_diagonal_one_short_of_the_length(monkeypatch):
    model = tiny.bridge("demo")
    seen = []
    monkeypatch.setattr(
        "residscope.runs.sources.over_patterns",
        lambda twin, run, layers, take, over=sources.over_patterns: (
            seen.append(run.tokens),
            over(twin, run, layers, take),
        )[1],
    )
    got = rs.head_scores(model, "induction", seed=3)
    (tokens,) = seen
    half = (tokens.shape[1] - 1) // 2
    assert (tokens[:, 1 : 1 + half] == tokens[:, 1 + half :]).all()
    assert not torch.isin(tokens[:, 1:], torch.tensor(model.tokenizer.all_special_ids)).any()
    patterns = torch.stack([tiny.forward("demo", row.tolist()).patterns for row in tokens])
    diagonal = patterns.diagonal(-(half - 1), -2, -1)[..., 2:].mean((0, -1)).float()
    # A token that happens to come twice within one half is the only difference.
    torch.testing.assert_close(got, diagonal, atol=0.02, rtol=0.05)


def test_the_seed_decides_the_score():
    model = tiny.bridge("demo")
    one, same, other = (rs.head_scores(model, "duplicate token", seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_demo_model_has_an_induction_head_and_a_previous_token_head():
    model = tiny.bridge("demo")
    assert float(rs.head_scores(model, "induction").max()) > 0.7
    assert float(rs.head_scores(model, "previous token").max()) > 0.9


def test_an_unknown_kind_is_refused_with_the_known_ones():
    model = tiny.bridge("gpt2")
    sentence = "there is no head score 'copying': the scores are 'induction', 'previous token', 'duplicate token'"
    with pytest.raises(ValueError, match=sentence):
        rs.head_scores(model, "copying")
    with pytest.raises(ValueError, match=sentence):
        trace_of(model).head_scores("copying")
