"""A run that somebody has already: live where it is what the model does, as cached where it is not."""

import re

import pytest
import torch
from transformer_lens import ActivationCache

import residscope as rs
from tests import architectures, tiny

LONG, SHORT = list(range(5, 14)), list(range(20, 26))
ANSWERS = (30, 31)


def padded(side):
    """Return two rows of different lengths, padded on one side, with the mask of real tokens."""
    gap = len(LONG) - len(SHORT)
    before, after = (gap, 0) if side == "left" else (0, gap)
    tokens = torch.tensor([LONG, [0] * before + SHORT + [0] * after])
    mask = torch.ones_like(tokens)
    mask[1, :before] = 0
    mask[1, len(LONG) - after :] = 0
    return tokens, mask


def run(model, tokens, mask=None, switched_off=None):
    """Return logits and cache of the model's own run, with heads 1 of some layers switched off."""

    def zero(z, **_):
        z = z.clone()
        z[:, :, 1] = 0
        return z

    for layer in switched_off or []:
        model.add_hook(f"blocks.{layer}.attn.hook_z", zero)
    with torch.no_grad():
        logits, cache = model.run_with_cache(tokens, attention_mask=mask)
    model.reset_hooks()
    return logits, cache


def differences(logits, reads):
    return torch.stack([row[read, ANSWERS[0]] - row[read, ANSWERS[1]] for row, read in zip(logits, reads, strict=True)])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", architectures.NAMES)
def test_a_cache_that_is_what_the_model_does_gives_an_ordinary_run(name, side):
    model = architectures.build(name)
    tokens, mask = padded(side)
    _, cache = run(model, tokens, mask)
    trace = rs.Experiment.from_cache(model, cache, tokens, ANSWERS, mask=mask).trace
    assert trace.cache_mismatch == ""
    assert trace.inputs.tokens == (tuple(LONG), tuple(SHORT))
    torch.testing.assert_close(
        trace.target_value, rs.Experiment(model, [LONG, SHORT], answers=ANSWERS).trace.target_value
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", architectures.NAMES)
def test_a_cache_with_a_head_switched_off_is_shown_as_cached(name, side):
    model = architectures.build(name)
    tokens, mask = padded(side)
    logits, cache = run(model, tokens, mask, switched_off=[2])
    trace = rs.Experiment.from_cache(model, cache, tokens, ANSWERS, mask=mask).trace

    start = len(LONG) - len(SHORT) if side == "left" else 0
    expected = differences(logits, [len(LONG) - 1, start + len(SHORT) - 1])
    torch.testing.assert_close(trace.target_value, expected, rtol=1e-4, atol=1e-5)
    assert all(check.ok for check in [*trace.sum_check(), *trace.layer_check(), *trace.logit_lens().checks])
    pattern = cache["blocks.2.attn.hook_pattern"][1, 3, start : start + len(SHORT), start : start + len(SHORT)]
    torch.testing.assert_close(trace.attention(2, 3)[1, : len(SHORT), : len(SHORT)], pattern)
    assert "blocks.2.attn" in trace.cache_mismatch
    assert "position" in trace.cache_mismatch
    assert trace.warnings[0].startswith(f"As cached: {trace.cache_mismatch}.")


def test_what_a_cache_holds_is_what_is_taken_apart():
    model = architectures.build("GPT-2")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens, switched_off=[1])
    trace = rs.Experiment.from_cache(model, cache, tokens, ANSWERS).trace
    live = rs.Experiment(model, LONG, answers=ANSWERS).trace
    # Before the change all is as it was, but for the final norm's scale.
    ratios = trace.head_attribution()[0, 0] / live.head_attribution()[0, 0]
    torch.testing.assert_close(ratios, ratios[:1].expand(4))
    assert not torch.allclose(trace.head_attribution()[0, 2], live.head_attribution()[0, 2] * ratios[0])
    part = trace.source_split(2, 0)[0, -1].sum()
    torch.testing.assert_close(part, trace.head_attribution()[0, 2, 0])
    with pytest.raises(rs.NoSplitError, match="or a hook stands between the values and the output of layer 1's heads"):
        trace.token_attribution()
    assert trace.head_scores("previous token").shape == (1, 3, 4)


def test_new_prompts_are_run_by_the_model_and_new_answers_keep_the_cache():
    model = tiny.bridge("llama")
    tokens = torch.tensor([LONG])
    logits, cache = run(model, tokens, switched_off=[0, 1, 2])
    experiment = rs.Experiment.from_cache(model, cache, tokens, ANSWERS)
    experiment.update(answers=(32, 33))
    assert experiment.trace.cache_mismatch
    torch.testing.assert_close(experiment.trace.target_value[0], logits[0, -1, 32] - logits[0, -1, 33])
    experiment.update(prompts=LONG)
    assert experiment.trace.cache_mismatch == ""
    assert experiment.warnings == []
    with torch.no_grad():
        live = model(tokens)
    torch.testing.assert_close(experiment.trace.target_value[0], live[0, -1, 32] - live[0, -1, 33])


@pytest.mark.parametrize("kind", ["mapping", "no batch axis", "ActivationCache without it", "row of tokens"])
def test_the_batch_axis_is_optional_and_a_mapping_will_do(kind):
    model = tiny.bridge("gpt2")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens, switched_off=[2])
    values = dict(cache.cache_dict)
    without = {name: value[0] for name, value in values.items()}
    given = {
        "mapping": values,
        "no batch axis": without,
        "ActivationCache without it": ActivationCache(without, model, has_batch_dim=False),
        "row of tokens": cache,
    }[kind]
    experiment = rs.Experiment.from_cache(model, given, LONG if kind == "row of tokens" else tokens, ANSWERS)
    torch.testing.assert_close(experiment.trace.attention(1)[0], cache["blocks.1.attn.hook_pattern"][0], rtol=0, atol=0)
    assert "blocks.2" in experiment.trace.cache_mismatch


def test_some_activations_are_enough_where_they_are_what_the_model_does():
    model = tiny.bridge("llama")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens)
    name = "blocks.1.hook_resid_pre"
    trace = rs.Experiment.from_cache(model, {name: cache[name]}, tokens, ANSWERS).trace
    assert trace.cache_mismatch == ""
    assert trace.logit_lens().target_value.shape == (1, 7)


def test_one_wrong_cell_in_every_position_of_any_activation_is_noticed():
    model = tiny.bridge("gpt2")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens)
    for name in ("hook_embed", "blocks.1.attn.hook_attn_scores", "blocks.2.ln2.hook_scale", "unembed.hook_out"):
        values = {**cache.cache_dict, name: cache[name] * 1.001}
        difference = rs.Experiment.from_cache(model, values, tokens, ANSWERS).trace.cache_mismatch
        assert difference.startswith(f"{name} holds "), name


@pytest.mark.parametrize("length", [2, 7, 43, 60])
def test_what_was_changed_at_the_last_position_alone_is_noticed_in_prompts_of_any_length(length):
    model = tiny.bridge("llama")
    tokens = torch.randint(5, 300, (1, length), generator=torch.Generator().manual_seed(length))

    def switch_off(z, **_):
        z[:, -1] = 0
        return z

    with model.hooks([("blocks.1.attn.hook_z", switch_off)]):
        logits, cache = run(model, tokens)
    trace = rs.Experiment.from_cache(model, cache, tokens, (17, 50)).trace
    assert re.match(r"blocks\.1\.attn\.(hook_z|o\.hook_in) holds 0 where the model gives", trace.cache_mismatch)
    assert float(trace.target_value[0]) == pytest.approx(float(logits[0, -1, 17] - logits[0, -1, 50]), abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_cache_that_was_cast_to_half_precision_is_what_the_model_does(dtype):
    model = tiny.bridge("llama")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens)
    values = {name: value.to(dtype) if value.is_floating_point() else value for name, value in cache.items()}
    assert rs.Experiment.from_cache(model, values, tokens, ANSWERS).trace.cache_mismatch == ""


def test_a_mask_may_be_of_any_numbers():
    model = tiny.bridge("llama")
    tokens, mask = padded("left")
    _, cache = run(model, tokens, mask)
    for given in (mask.float(), mask.bool(), mask.tolist(), mask.numpy()):
        assert rs.Experiment.from_cache(model, cache, tokens, ANSWERS, mask=given).trace.cache_mismatch == ""


def test_a_cache_in_half_precision_of_the_same_model_is_what_it_does():
    model = architectures.build("Llama", dtype=torch.bfloat16)
    tokens = torch.tensor([LONG, list(reversed(LONG))])
    _, cache = run(model, tokens)
    assert rs.Experiment.from_cache(model, cache, tokens, ANSWERS).trace.cache_mismatch == ""


def test_an_experiment_from_a_cache_leaves_cache_and_model_alone():
    model = tiny.bridge("gpt2")
    tokens, mask = padded("left")
    _, cache = run(model, tokens, mask, switched_off=[1])
    before = {name: value.clone() for name, value in cache.cache_dict.items()}
    trace = rs.Experiment.from_cache(model, cache, tokens, ANSWERS, mask=mask).trace
    trace.logit_lens()
    trace.source_split(0)
    assert all(torch.equal(before[name], value) for name, value in cache.cache_dict.items())
    assert not any(point.fwd_hooks for point in model.hook_dict.values())


def without(cache, *names):
    return {name: value for name, value in cache.items() if name not in names}


def case(**given):
    return {"cache": None, "tokens": torch.tensor([LONG]), "mask": None, **given}


REFUSED = [
    (case(tokens="When Mary"), "tokens are the ids that the cache was made on"),
    (case(tokens=3), "tokens are the ids that the cache was made on"),
    (case(tokens=[]), "tokens are empty: give at least one"),
    (case(tokens=[LONG, SHORT]), "rows of tokens differ in length: give them as they were run, padded"),
    (case(tokens=[[99999] * 9]), "token id 99999 in tokens is outside the vocabulary: ids go from 0 to"),
    (case(tokens=[[5] * 65]), "65 tokens, and this model reads at most 64"),
    (case(tokens=[LONG[1:]]), "give the tokens that the cache was made on, padding included"),
    (case(mask=[[1, 1]]), "the mask does not have the tokens' shape: give one mark per token"),
    (case(mask=[[1, 1, 0, 1, 1, 1, 1, 1, 1]]), "in each row, real tokens must stand together"),
    (case(mask=[[0] * 9]), "in each row, real tokens must stand together"),
    (case(mask=[[2] * 9]), "a mask has the tokens' shape, 1 at real tokens and 0 at padding"),
    (case(tokens=[LONG[::-1]]), "the cache was made on other tokens: embed.hook_in holds 13 where you give 5"),
    (case(cache={"hook_embed": torch.zeros(1, device="meta")}), "on the meta device, which holds shapes but no numb"),
    (case(cache=3), "a cache is an ActivationCache, or a mapping of hook names to tensors, not int"),
    (case(cache={"hook_embed": 3}), "a cache is an ActivationCache, or a mapping of hook names to tensors, not dict"),
    (case(cache={}), "the cache is empty: give what model.run_with_cache"),
    (case(cache={"blocks.7.hook_in": torch.zeros(1)}), "'blocks.7.hook_in', which is not a hook point of this model"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED, ids=lambda part: str(part)[:40])
def test_what_cannot_be_used_is_refused_in_a_sentence(given, sentence):
    model = tiny.bridge("gpt2")
    _, cache = run(model, torch.tensor([LONG]))
    with pytest.raises(rs.InputError, match=sentence):
        rs.Experiment.from_cache(model, **{**given, "cache": cache if given["cache"] is None else given["cache"]})


def test_a_part_of_a_run_that_is_not_what_the_model_does_is_refused_by_what_is_missing():
    model = tiny.bridge("gpt2")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens, switched_off=[2])
    values = without(cache.cache_dict, "blocks.1.hook_mlp_out")
    with pytest.raises(rs.InputError, match=r"the cache has no 'blocks\.1\.hook_mlp_out': cache that too"):
        rs.Experiment.from_cache(model, values, tokens, ANSWERS)


def test_answers_that_need_a_continuation_are_refused_on_a_cached_run():
    model = tiny.bridge("gpt2")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens, switched_off=[2])
    with pytest.raises(rs.InputError, match="the cache ends before"):
        rs.Experiment.from_cache(model, cache, tokens, (" Mary Tom", " Mary Anna"))


def test_a_number_whose_activation_the_cache_lacks_says_so():
    model = tiny.bridge("gpt2")
    tokens = torch.tensor([LONG])
    _, cache = run(model, tokens, switched_off=[2])
    values = without(cache.cache_dict, "blocks.1.attn.hook_v")
    trace = rs.Experiment.from_cache(model, values, tokens, ANSWERS).trace
    assert trace.source_split(0).shape == (1, 4, 9, 9)
    with pytest.raises(rs.NoSplitError, match=r"the cache has no 'blocks\.1\.attn\.hook_v'"):
        trace.source_split(1)
