"""Each head's direct effect on every architecture: plain torch first, TransformerLens where it is right."""

import pytest
import torch
from transformer_lens.tools.analysis import direct_logit_attribution

from residscope import Trace
from residscope.inputs.reader import Reader
from tests import architectures, plain

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]
ANSWERS = {"difference": (" Mary", " John"), "log-probability": " Mary"}

HYBRID = "Qwen3.5 (hybrid)"
OTHERWISE = {
    "Gemma-2": "TransformerLens' head results leave out the norm after the attention",
    "Gemma-3": "TransformerLens' head results leave out the norm after the attention",
    "OLMo-2": "TransformerLens' head results leave out the norm after the attention",
    "Granite": "TransformerLens' head results leave out the residual multiplier and the logit scale",
}
"""Where TransformerLens' sums over heads are not what its own model does, and why."""


def trace_of(model, answers):
    return Trace(model, Reader(model).parse(PROMPTS, answers, None, None))


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("name", architectures.NAMES)
def test_each_heads_effect_is_what_its_modules_make_of_its_part(name, kind):
    trace = trace_of(architectures.build(name), ANSWERS[kind])
    own = architectures.hf_model(name)
    for row, ids in enumerate(trace.inputs.tokens):
        right, wrong = trace.target.right[row].ids[0], trace.target.wrong and trace.target.wrong[row].ids[0]
        expected = plain.head_effects(own, list(ids), right, wrong)
        got = trace.head_attribution()[row]
        atol = 1e-4 * float(got.nan_to_num().abs().max())
        torch.testing.assert_close(got, expected, atol=atol, rtol=0, equal_nan=True)


def second_opinion(model, trace):
    """Return TransformerLens' direct effects of the first row's heads on its target."""
    _, cache = model.run_with_cache(trace.tokens[:1, : trace.lengths[0]])
    heads = cache.stack_head_results(layer=-1, pos_slice=-1, apply_ln=True)[:, 0]
    (right,), (wrong,) = trace.target.right[0].ids, trace.target.wrong[0].ids
    return (heads @ (model.W_U[:, right] - model.W_U[:, wrong])).view(trace.n_layers, trace.n_heads).detach()


@pytest.mark.parametrize("name", [name for name in architectures.NAMES if name != HYBRID])
def test_transformer_lens_says_the_same_on_a_processed_model_but_where_it_leaves_something_out(name):
    model = architectures.build(name, processed=True)
    trace = trace_of(model, ANSWERS["difference"])
    got = trace.head_attribution()[0]
    apart = (second_opinion(model, trace) - got).abs().max() / got.abs().max()
    assert (float(apart) > 0.5) if name in OTHERWISE else (float(apart) < 1e-5), OTHERWISE.get(name)


def test_transformer_lens_has_no_sum_over_the_heads_of_a_hybrid():
    model = architectures.build(HYBRID)
    with pytest.raises(KeyError, match="hook_z"):
        second_opinion(model, trace_of(model, ANSWERS["difference"]))


def test_transformer_lens_own_tool_refuses_a_raw_model():
    model = architectures.build("Llama")
    with pytest.raises(ValueError, match="requires compatibility mode"):
        direct_logit_attribution(model, torch.tensor([[1, 2, 3]]), 5)
