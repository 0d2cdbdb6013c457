"""Every number of a trace against a plain-torch computation, and TransformerLens as the second opinion."""

import numpy as np
import pytest
import torch

from residscope import StaleWeightsError, Target, Trace
from residscope.inputs.reader import Reader
from residscope.inputs.target import Answer
from tests import tiny

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]
ANSWERS = (" Mary", " John")
CASES = [(name, processed) for name in tiny.ARCHITECTURES for processed in (False, True)]


def trace_of(model, answers=ANSWERS, prompts=PROMPTS, **options):
    return Trace(model, Reader(model).parse(prompts, answers, None, options.pop("position", None)), **options)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{'processed' if case[1] else 'raw'}")
def case(request):
    name, processed = request.param
    model = tiny.bridge(name, processed=processed)
    trace = trace_of(model)
    return name, processed, model, trace, [tiny.forward(name, list(row)) for row in trace.inputs.tokens]


def direction(forward, right, wrong):
    """Return the direction of the final residual along which right beats wrong, by the norm's definition."""
    w = (forward.W_U[:, right] - forward.W_U[:, wrong]) * forward.norm.weight
    return w - w.mean() if forward.norm.centred else w


def ids_of(trace):
    return trace.target.right[0].ids[0], trace.target.wrong[0].ids[0]


def test_the_rows_have_different_lengths_and_are_masked(case):
    _, _, _, trace, _ = case
    assert trace.lengths[0] != trace.lengths[1]
    assert trace.mask.sum(-1).tolist() == list(trace.lengths)
    assert trace.target.positions == tuple(length - 1 for length in trace.lengths)


def test_the_target_is_the_models_own_logit_difference_at_the_last_real_token(case):
    _, _, _, trace, forwards = case
    right, wrong = ids_of(trace)
    expected = [float(f.logits[-1, right] - f.logits[-1, wrong]) for f in forwards]
    assert trace.target_value.tolist() == pytest.approx(expected, abs=2e-4)


def test_head_attribution_equals_each_heads_part_along_the_direction(case):
    _, _, _, trace, forwards = case
    for row, f in enumerate(forwards):
        u = direction(f, *ids_of(trace)) / f.norm.scale[-1]
        expected = (f.head_parts[:, :, -1] @ u).float()
        torch.testing.assert_close(trace.head_attribution()[row], expected, atol=2e-4, rtol=1e-4)


def test_components_are_embedding_attention_biases_and_mlps(case):
    name, processed, _, trace, forwards = case
    components = trace.component_attribution()
    for row, f in enumerate(forwards):
        u = direction(f, *ids_of(trace)) / f.norm.scale[-1]
        got = dict(zip(components.labels, components.values[row].tolist(), strict=True))
        for layer in range(trace.n_layers):
            assert got[f"L{layer}.attn"] == pytest.approx(float(f.head_parts[layer, :, -1].sum(0) @ u), abs=3e-4)
            assert got[f"L{layer}.mlp"] == pytest.approx(float(f.mlp[layer, -1] @ u), abs=3e-4)
            assert got.get(f"L{layer}.attn_bias", 0.0) == pytest.approx(float(f.attn_bias[layer] @ u), abs=3e-4)
        assert got["embed"] == pytest.approx(float(f.embed[-1] @ u), abs=3e-4)
        if name == "gpt2":
            assert got["pos_embed"] == pytest.approx(float(f.pos_embed[-1] @ u), abs=3e-4)
            biases = got.get("norm_bias", 0.0) + got["unembed_bias"]
            right, wrong = ids_of(trace)
            expected = float(f.norm.bias @ (f.W_U[:, right] - f.W_U[:, wrong]))
            assert biases == pytest.approx(expected, abs=3e-4), f"processed={processed}"
        assert sum(got.values()) == pytest.approx(float(trace.target_value[row]), abs=3e-4)


def test_the_lens_reads_every_depth_through_the_final_norm(case):
    _, _, _, trace, forwards = case
    lens = trace.logit_lens(k=5)
    assert trace.depths[:3] == ["embed", "0.mid", "0.post"]
    assert trace.depths[-2:] == [f"{trace.n_layers - 1}.mid", "output"]
    right, wrong = ids_of(trace)
    for row, f in enumerate(forwards):
        logits = normed(f) @ f.W_U
        probs = logits.softmax(-1)
        length = trace.lengths[row]
        # The logit of the token named first, since two may tie.
        named = logits.gather(-1, lens.top_ids[row, :, :length, :1])[..., 0]
        torch.testing.assert_close(named, logits.max(-1).values, atol=2e-4, rtol=1e-4)
        torch.testing.assert_close(
            lens.top_probs[row, :, :length], probs.topk(5, -1).values.float(), atol=2e-4, rtol=1e-3
        )
        entropy = -(probs * probs.log()).sum(-1).float()
        torch.testing.assert_close(lens.entropy[row, :, :length], entropy, atol=1e-3, rtol=1e-3)
        curve = (logits[:, -1, right] - logits[:, -1, wrong]).float()
        torch.testing.assert_close(lens.target_value[row], curve, atol=3e-4, rtol=1e-4)
        rank = (logits[:, -1] > logits[:, -1, right, None]).sum(-1)
        assert lens.target_rank[row].tolist() == rank.tolist()
        assert (lens.top_ids[row, :, length:] == -1).all()
        assert lens.top_probs[row, :, length:].isnan().all()
    assert all(check.ok for check in lens.checks)


def normed(f):
    centred = f.resid - f.resid.mean(-1, keepdim=True) if f.norm.centred else f.resid
    eps = 1e-5 if f.norm.centred else 1e-6
    scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt() * f.norm.weight
    return scaled if f.norm.bias is None else scaled + f.norm.bias


def test_attention_is_each_heads_pattern_and_blank_at_padding(case):
    _, _, _, trace, forwards = case
    for row, f in enumerate(forwards):
        length = trace.lengths[row]
        for layer in range(trace.n_layers):
            pattern = trace.attention(layer)[row]
            torch.testing.assert_close(pattern[:, :length, :length], f.patterns[layer].float(), atol=2e-5, rtol=1e-4)
            assert pattern[:, length:].isnan().all()
            assert pattern[:, :, length:].isnan().all()
    torch.testing.assert_close(trace.attention(1, 2), trace.attention(1)[:, 2], rtol=0, atol=0, equal_nan=True)


def test_the_sum_check_passes(case):
    _, _, _, trace, _ = case
    assert [check.reason for check in trace.sum_check()] == ["", ""]


def test_a_single_answer_is_its_log_probability_and_its_parts_sum_to_it(case):
    _, processed, model, _, forwards = case
    trace = trace_of(model, answers=" Mary")
    expected = [float(f.logits[-1].log_softmax(-1)[trace.target.right[0].ids[0]]) for f in forwards]
    assert trace.target_value.tolist() == pytest.approx(expected, abs=2e-4), f"processed={processed}"
    assert trace.target.unit == "nats"
    assert trace.component_attribution().labels[-1] == "entropy"
    assert all(check.ok for check in trace.sum_check())


def test_a_single_answer_may_be_its_logit_and_its_parts_sum_to_it(case):
    _, processed, model, _, forwards = case
    trace = Trace(model, Reader(model).parse(PROMPTS, " Mary", None, None, "logit"))
    # Weight processing takes the vocabulary's mean out of all logits.
    centred = [f.logits[-1] - f.logits[-1].mean() if processed else f.logits[-1] for f in forwards]
    expected = [float(logits[trace.target.right[0].ids[0]]) for logits in centred]
    assert trace.target_value.tolist() == pytest.approx(expected, abs=3e-4)
    assert (trace.target.unit, trace.target.names[0]) == ("logits", "logit(' Mary')")
    assert "entropy" not in trace.component_attribution().labels
    assert all(check.ok for check in trace.sum_check())
    for row, at in enumerate(trace.target.positions):
        torch.testing.assert_close(trace.target_curve()[row, -1, at], trace.target_value[row], atol=1e-4, rtol=1e-4)


def test_transformer_lens_agrees_on_processed_models(case):
    _, processed, model, trace, _ = case
    if not processed:
        return  # its tools refuse raw bridges
    right, wrong = ids_of(trace)
    for row, length in enumerate(trace.lengths):
        _, cache = model.run_with_cache(trace.tokens[row : row + 1, :length])
        stacked = cache.stack_head_results(layer=-1, pos_slice=-1, apply_ln=True)[:, 0]
        effects = (stacked @ (model.W_U[:, right] - model.W_U[:, wrong])).view(trace.n_layers, trace.n_heads)
        torch.testing.assert_close(trace.head_attribution()[row], effects.detach(), atol=2e-4, rtol=1e-4)
        resid, labels = cache.accumulated_resid(
            layer=-1, incl_mid=True, pos_slice=-1, return_labels=True, apply_ln=True
        )
        assert len(labels) == len(trace.depths)
        curve = (resid[:, 0] @ (model.W_U[:, right] - model.W_U[:, wrong])).detach()
        # TransformerLens normalises with the final scale, so only the last depth is the same number.
        bias = model.b_U[right] - model.b_U[wrong]
        assert float(curve[-1] + bias) == pytest.approx(float(trace.target_value[row]), abs=2e-4)


def test_a_dropped_part_turns_the_check_amber(case, monkeypatch):
    _, _, model, _, _ = case
    trace = trace_of(model)
    whole = trace.component_attribution()
    for dropped in range(len(whole.labels)):
        values = whole.values.clone()
        values[:, dropped] = 0
        monkeypatch.setattr(trace, "component_attribution", lambda values=values: type(whole)(whole.labels, values))
        for row, check in enumerate(trace.sum_check()):
            assert check.ok == (abs(float(whole.values[row, dropped])) <= check.tolerance)
            if not check.ok:
                assert "rounding explains at most" in check.reason


def test_answers_may_be_several_tokens_by_id_and_positions_may_be_chosen(case):
    _, _, model, base, forwards = case
    mary, tom, john = (
        tiny.tokenizer()(text, add_special_tokens=False)["input_ids"][0] for text in (" Mary", " Tom", " John")
    )
    trace = trace_of(model, answers=([" Mary", tom], john), position=-2)
    expected = [float(f.logits[-2, [mary, tom]].mean() - f.logits[-2, john]) for f in forwards]
    assert trace.target_value.tolist() == pytest.approx(expected, abs=2e-4)
    assert trace.target.positions == tuple(length - 2 for length in base.lengths)
    assert all(check.ok for check in trace.sum_check())


def test_answers_that_begin_alike_are_compared_after_what_they_share(case):
    name, _, model, base, _ = case
    trace = trace_of(model, answers=(" Mary Tom", " Mary Anna"))
    encode = tiny.tokenizer()
    mary, tom, anna = (encode(text, add_special_tokens=False)["input_ids"][0] for text in (" Mary", " Tom", " Anna"))
    for row, ids in enumerate(base.inputs.tokens):
        logits = tiny.forward(name, [*ids, mary]).logits[-1]
        assert float(trace.target_value[row]) == pytest.approx(float(logits[tom] - logits[anna]), abs=2e-4)


def test_without_answers_the_models_top_token_stands_against_its_second(case):
    _, _, model, _, forwards = case
    trace = trace_of(model, answers=None)
    for row, f in enumerate(forwards):
        assert [trace.target.right[row].ids[0], trace.target.wrong[row].ids[0]] == f.logits[-1].topk(2).indices.tolist()


@pytest.mark.parametrize(
    "parts",
    [
        ((3,), (Answer((), "x"),), None),
        ((3,), (Answer((5.5,), "x"),), None),
        ((3.0,), (Answer((5,), "x"),), None),
        ((3,), (Answer((5,), "x"),), ()),
        ((3, 4), (Answer((5,), "x"),), None),
        ((3,), (Answer((5,), "x"),), None, "probability"),
    ],
    ids=str,
)
def test_a_target_that_cannot_be_read_is_refused(parts):
    with pytest.raises(ValueError, match=r"an answer('s| needs)|a target('s| without| has)|one answer alone is"):
        Target(*parts)


def test_numbers_that_are_no_layer_head_prompt_position_or_k_are_told_in_words(case):
    _, _, model, _, _ = case
    trace = trace_of(model)
    for call, sentence in (
        (lambda: trace.attention(1.0), "there is no layer 1.0: this model has layers 0 to"),
        (lambda: trace.attention(None), "there is no layer None: this model has layers 0 to"),
        (lambda: trace.attention(0, "1"), "there is no head '1': this model has heads 0 to"),
        (lambda: trace.head_tokens(0, None), "there is no head None: this model has heads 0 to"),
        (lambda: trace.head_tokens(0, 1, row=0.0), "there is no prompt 0.0: this run has prompts 0 to"),
        (lambda: trace.head_tokens(0, 1, position=True), "there is no position True: this prompt has"),
    ):
        with pytest.raises(IndexError, match=sentence):
            call()
    for k in (True, 2.0, 0, "3"):
        with pytest.raises(ValueError, match=f"k is 1 to .*, not {k!r}"):
            trace.logit_lens(k)
    assert torch.equal(trace.logit_lens(np.int64(3)).top_ids, trace.logit_lens(torch.tensor(3)).top_ids)
    pattern = trace.attention(torch.tensor(1), np.int64(-1))
    torch.testing.assert_close(pattern, trace.attention(1, -1), atol=0, rtol=0, equal_nan=True)


def test_a_target_made_by_hand_is_read_where_it_says(case):
    _, _, model, _, forwards = case
    target = Target((3, 2), (Answer((5,), "five"),) * 2, (Answer((6,), "six"),) * 2)
    trace = trace_of(model, answers=None, target=target)
    expected = [float(f.logits[p, 5] - f.logits[p, 6]) for p, f in zip((3, 2), forwards, strict=True)]
    assert trace.target_value.tolist() == pytest.approx(expected, abs=2e-4)


def test_patterns_too_large_to_keep_are_recorded_on_demand(case, monkeypatch):
    _, _, model, kept, _ = case
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 10)
    trace = trace_of(model)
    assert not trace.patterns_sent_with_run
    for layer in range(trace.n_layers):
        torch.testing.assert_close(trace.attention(layer), kept.attention(layer), equal_nan=True)


def test_a_float64_model_passes_its_check():
    model = tiny.bridge("gpt2").to(torch.float64)
    assert [check.reason for check in trace_of(model).sum_check()] == ["", ""]


def test_a_run_whose_logits_are_not_finite_is_refused():
    model = tiny.bridge("llama")
    with torch.no_grad():
        next(model.parameters())[:] = torch.inf
    with pytest.raises(FloatingPointError, match=r"not finite .* where the target is read"):
        trace_of(model)


def test_numbers_of_changed_weights_are_refused():
    model = tiny.bridge("llama")
    trace = trace_of(model)
    trace.head_attribution()
    with torch.no_grad():
        next(model.parameters()).mul_(1.5)
    with pytest.raises(StaleWeightsError, match="weights have changed since this run: call"):
        trace.logit_lens()
    assert trace.head_attribution() is not None, "what was computed on the old weights still holds"


def test_a_layer_or_head_outside_the_model_is_refused(case):
    _, _, _, trace, _ = case
    with pytest.raises(
        IndexError, match=rf"no layer {trace.n_layers}: this model has layers 0 to {trace.n_layers - 1}"
    ):
        trace.attention(trace.n_layers)
    with pytest.raises(IndexError, match=rf"no head {trace.n_heads}: this model has heads 0 to {trace.n_heads - 1}"):
        trace.attention(0, trace.n_heads)
    with pytest.raises(ValueError, match="k is 1 to"):
        trace.logit_lens(k=0)


def test_results_carry_no_gradients_whatever_the_callers_mode(case):
    _, _, model, _, _ = case
    with torch.enable_grad():
        trace = trace_of(model)
        assert not trace.head_attribution().requires_grad
        assert not trace.logit_lens().top_probs.requires_grad
        assert not trace.attention(0).requires_grad
