"""Every number right on every architecture, raw and processed, or the exception named."""

from dataclasses import replace

import pytest
import torch

from residscope import Trace
from residscope.inputs.reader import Reader
from residscope.runs import decomposition
from tests import architectures

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]
ANSWERS = {"difference": (" Mary", " John"), "log-probability": " Mary"}

UNPROCESSED = {
    "Qwen3.5 (hybrid)": "TransformerLens does not process hybrids",
}
ANOTHER_MODEL = {
    "gpt-oss": "compatibility mode folds value biases as if attention weights summed to 1, which sinks prevent",
}
CASES = [
    (name, processed)
    for name in architectures.NAMES
    for processed in (False, True)
    if not (processed and name in UNPROCESSED)
]


def trace_of(model, kind="difference"):
    return Trace(model, Reader(model).parse(PROMPTS, ANSWERS[kind], None, None))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{'processed' if case[1] else 'raw'}")
def case(request):
    name, processed = request.param
    return name, processed, architectures.build(name, processed=processed)


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_target_is_the_models_own_and_its_parts_sum_to_it(case, kind):
    _, _, model = case
    trace = trace_of(model, kind)
    for row, length in enumerate(trace.lengths):
        with torch.no_grad():
            logits = model(trace.tokens[row : row + 1, :length])[0, -1]
        right = trace.target.right[row].ids[0]
        own = (
            logits.log_softmax(-1)[right]
            if kind != "difference"
            else logits[right] - logits[trace.target.wrong[row].ids[0]]
        )
        assert float(trace.target_value[row]) == pytest.approx(float(own), abs=2e-5)
    assert [check.reason for check in trace.sum_check()] == ["", ""]
    assert [check.reason for check in trace.layer_check()] == ["", ""]
    assert [check.reason for check in trace.logit_lens(3).checks] == ["", ""]


@pytest.mark.parametrize("name", ["Gemma-2", "Granite", "Cohere"])
def test_a_single_logit_sums_too_where_logits_are_capped_or_scaled(name):
    model = architectures.build(name)
    trace = Trace(model, Reader(model).parse(PROMPTS, " Mary", None, None, "logit"))
    for row, length in enumerate(trace.lengths):
        with torch.no_grad():
            logits = model(trace.tokens[row : row + 1, :length])[0, -1]
        assert float(trace.target_value[row]) == pytest.approx(float(logits[trace.target.right[0].ids[0]]), abs=2e-5)
    assert [check.reason for check in trace.sum_check()] == ["", ""]


def test_each_dropped_row_turns_the_check_amber(case, monkeypatch):
    _, _, model = case
    trace = trace_of(model, "log-probability")
    whole = trace.component_attribution()
    for dropped, label in enumerate(whole.labels):
        values = whole.values.clone()
        values[:, dropped] = 0
        monkeypatch.setattr(trace, "component_attribution", lambda values=values: type(whole)(whole.labels, values))
        for row, check in enumerate(trace.sum_check()):
            assert check.ok == (abs(float(whole.values[row, dropped])) <= check.tolerance), label


def test_each_layers_parts_are_what_it_adds(case):
    _, _, model = case
    trace = trace_of(model)
    assert [check.reason for check in trace.layer_check()] == ["", ""]
    heads, parts = trace.head_attribution(), trace.component_attribution()
    possible = decomposition.possible_labels(trace.n_layers)
    assert parts.labels == [label for label in possible if label in parts.labels]
    by_name = dict(zip(parts.labels, parts.values.T, strict=True))
    for layer in range(trace.n_layers):
        if f"L{layer}.mixer" in by_name:
            assert heads[:, layer].isnan().all()
            assert trace.attention(layer).isnan().all()
        else:
            torch.testing.assert_close(heads[:, layer].sum(-1), by_name[f"L{layer}.attn"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["GPT-2", "BLOOM", "Qwen2", "gpt-oss", "Gemma-2", "Granite"])
def test_a_part_that_is_missing_from_a_layer_is_noticed_in_any_type(name, dtype, monkeypatch):
    model = architectures.build(name, dtype=dtype)
    assert all(check.ok for check in trace_of(model).layer_check())
    whole = decomposition.head_weights

    def without(model, layer):
        head = whole(model, layer)
        if layer != 1:
            return head
        if head.b_O is not None:
            return replace(head, b_O=None)
        return replace(head, W_O=head.W_O * torch.tensor([1.0, 1.0, 1.0, 0.0]).to(dtype)[:, None, None])

    monkeypatch.setattr(decomposition, "head_weights", without)
    for check in trace_of(model).layer_check():
        assert check.layer == 1
        assert "the parts of layer 1 differ from what it adds" in check.reason


@pytest.mark.parametrize("name", [n for n in architectures.NAMES if n not in UNPROCESSED | ANOTHER_MODEL])
def test_heads_agree_on_a_raw_and_a_processed_model(name):
    raw, processed = (trace_of(architectures.build(name, processed=on)) for on in (False, True))
    torch.testing.assert_close(raw.head_attribution(), processed.head_attribution(), atol=5e-5, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", architectures.NAMES)
def test_sixteen_bits_pass_their_own_check(name, dtype):
    trace = trace_of(architectures.build(name, dtype=dtype))
    assert [check.reason for check in trace.sum_check()] == ["", ""]
    assert [check.reason for check in trace.layer_check()] == ["", ""]


# transformers has no other implementation of these.
EAGER_ONLY = {"GPT-J", "BLOOM", "Gemma-2", "gpt-oss"}


@pytest.mark.parametrize("name", [n for n in architectures.NAMES if n not in EAGER_ONLY])
def test_a_model_that_computes_attention_by_sdpa_shows_the_same(name):
    model = architectures.build(name, attention="sdpa")
    # Some bridges set another implementation when they are built.
    before = model.original_model.config._attn_implementation
    trace, eager = trace_of(model), trace_of(architectures.build(name))
    assert model.original_model.config._attn_implementation == before, "the user's model stays as it is"
    own = architectures.hf_model(name, attention="sdpa")
    for row, length in enumerate(trace.lengths):
        with torch.no_grad():
            logits = own(trace.tokens[row : row + 1, :length]).logits[0, -1]
        torch.testing.assert_close(trace.logits[row], logits, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(trace.head_attribution(), eager.head_attribution(), atol=2e-5, rtol=1e-4, equal_nan=True)
    for layer in range(trace.n_layers):
        torch.testing.assert_close(trace.attention(layer), eager.attention(layer), atol=1e-6, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", sorted(EAGER_ONLY))
def test_transformers_itself_refuses_sdpa_for_the_others(name):
    with pytest.raises(ValueError, match="scaled_dot_product_attention"):
        architectures.build(name, attention="sdpa")
