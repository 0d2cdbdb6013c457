"""Runs with interventions, on every architecture: the model's own numbers under plain hooks, and checks that hold."""

import functools
from dataclasses import replace

import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge

import residscope as rs
from residscope.inputs.reader import Reader
from residscope.inputs.target import Answer, Target
from residscope.models import Edit, Site, twin_of
from residscope.models.activations import LiveRun, Watch, pad_right
from residscope.models.edits import checked_positions
from residscope.models.parts import after_first, mean_of, of_rows, read_parts
from tests import architectures, plain_edits

PROMPTS = [
    "When Mary and John went to the store, John gave a drink to",
    "When Mary and John went to the store, Mary gave a drink to",
    "Tom met Anna at the park",
]
PARALLEL = {"GPT-J", "GPT-NeoX", "Phi", "Cohere"}
UNPROCESSED = {"Qwen3.5 (hybrid)"}
ANOTHER_MODEL = {"gpt-oss"}
CASES = [(name, on) for name in architectures.NAMES for on in (False, True) if not (on and name in UNPROCESSED)]

MARY, JOHN = 32, 33
"""Any two tokens."""


class Case:
    """A model, its inputs, a target of two terms a row, and vectors to add."""

    def __init__(self, name, processed=False, **settings):
        self.name, self.processed, self.settings = name, processed, settings
        self._expected = {}
        self.model = architectures.build(name, processed=processed, **settings)
        self.inputs = Reader(self.model).parse(PROMPTS, ("a", "b"), None, None)
        self.lengths = [len(row) for row in self.inputs.tokens]
        self.layer = 2 if name in UNPROCESSED else 1
        last = [length - 1 for length in self.lengths]
        answers = (Answer((MARY,), "x"),) * 6, (Answer((JOHN,), "y"),) * 6
        self.target = Target(
            (*last, 3, 4, 5), *answers, rows=(0, 1, 2) * 2, signs=(1, 1, 1, -1, 1, -1), groups=(0, 1, 2) * 2
        )
        generator = torch.Generator().manual_seed(1)
        self.small = torch.randn(self.model.cfg.d_head, generator=generator)
        self.large = torch.randn(self.model.cfg.d_model, generator=generator)

    def trace(self, edits=(), target=None):
        return rs.Trace(self.model, self.inputs, target=target or self.target, edits=edits)

    def parts(self, *sites):
        with twin_of(self.model).use() as twin:
            tokens, _ = pad_right(self.inputs.tokens, torch.device("cpu"))
            return read_parts(twin, LiveRun(tokens), sites)

    @functools.cached_property
    def plain(self):
        return architectures.hf_model(self.name, **self.settings)

    def expected(self, make):
        """Return the logits at the target's terms, by plain torch on the Hugging Face model, computed once."""
        if make not in self._expected:
            self._expected[make] = self._plain_logits(make(self))
        return self._expected[make]

    def _plain_logits(self, edits):
        rows = []
        for row, ids in enumerate(self.inputs.tokens):
            own = []
            for edit in edits:
                site = edit.site
                positions = checked_positions(site, self.lengths)[row]
                plus = edit.plus
                if plus is not None:
                    plus = plus.expand(len(ids), -1) if plus.ndim == 1 else plus[row]
                own.append((site.kind, site.layer, site.head, positions, edit.factor, plus))
            rows.append(plain_edits.logits(self.plain, list(ids), own))
        terms = zip(self.target.term_rows, self.target.positions, strict=True)
        return torch.stack([rows[row][position] for row, position in terms])


@functools.cache
def made(name, processed):
    return Case(name, processed)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{'processed' if case[1] else 'raw'}")
def case(request):
    return made(*request.param)


def heads_off(case):
    return [Edit(Site("head", case.layer, head), 0) for head in (0, 3)]


def heads_at_their_mean(case):
    sites = [Site("head", case.layer, head, after_first(case.lengths)) for head in (1, 2)]
    return [Edit(site, 0, mean_of(part, case.lengths)) for site, part in zip(sites, case.parts(*sites), strict=True)]


def heads_of_other_prompts(case):
    sites = [Site("z", case.layer, 1), Site("head", 2, 2)]
    return [
        Edit(site, 0, of_rows(part, [1, 0, 0], case.lengths, case.lengths))
        for site, part in zip(sites, case.parts(*sites), strict=True)
    ]


def heads_scaled_and_steered(case):
    return [
        Edit(Site("head", case.layer, 0, [-1, 2]), 0.5),
        Edit(Site("head", case.layer, 1, [[1], [2, -1], [-1]]), 1, case.small),
        Edit(Site("head", case.layer, 2), 1.5, case.small),
        Edit(Site("z", case.layer, 3), 1, case.small),
    ]


def attention_off(case):
    return [Edit(Site("attn", case.layer), 0)]


def attention_changed(case):
    site = Site("attn", 2, positions=after_first(case.lengths))
    (part,) = case.parts(site)
    return [
        Edit(Site("attn", case.layer, positions=[0, -2]), 0.5, case.large),
        Edit(site, 0, mean_of(part, case.lengths)),
    ][-1 if case.layer == 2 else 0 :]


def mlp_off(case):
    return [Edit(Site("mlp", 0), 0), Edit(Site("mlp", case.layer, positions=[-1]), 0)]


def mlp_changed(case):
    site = Site("mlp", 1, positions=after_first(case.lengths))
    (part,) = case.parts(site)
    return [Edit(site, 0, mean_of(part, case.lengths)), Edit(Site("mlp", 2, positions=[3, -1]), 0.5, case.large)]


def stream_steered(case):
    return [
        Edit(Site("resid_pre", 0, positions=[1, -1]), 1, case.large),
        Edit(Site("resid_post", 1), 1, case.large),
    ]


def stream_patched(case):
    sites = [Site("resid_pre", 1, positions=[2]), Site("resid_post", 2, positions=[[4, -1], [-1], [3]])]
    return [
        Edit(site, 0, of_rows(part, [1, 0, 0], case.lengths, case.lengths))
        for site, part in zip(sites, case.parts(*sites), strict=True)
    ]


def stream_between_attention_and_mlp(case):
    if case.name in PARALLEL:
        return None
    return [
        Edit(Site("resid_mid", 0, positions=[2, -1]), 0.7, case.large),
        Edit(Site("resid_mid", 1), 1, case.large),
        Edit(Site("resid_mid", 2, positions=after_first(case.lengths)), 0.5),
    ]


def everything_at_once(case):
    stops = [] if case.name in PARALLEL else [Edit(Site("resid_mid", case.layer), 0.9, case.large)]
    return [
        Edit(Site("resid_pre", case.layer), 0.8, case.large),
        Edit(Site("head", case.layer, 1), 0, case.small),
        Edit(Site("attn", case.layer), 0.5, case.large),
        *stops,
        Edit(Site("mlp", case.layer), 2, case.large),
        Edit(Site("resid_post", case.layer, positions=[-1]), 0.5, case.large),
    ]


MADE = [
    heads_off,
    heads_at_their_mean,
    heads_of_other_prompts,
    heads_scaled_and_steered,
    attention_off,
    attention_changed,
    mlp_off,
    mlp_changed,
    stream_steered,
    stream_patched,
    stream_between_attention_and_mlp,
    everything_at_once,
]


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_a_run_with_edits_is_the_models_own_and_all_its_checks_hold(case, make):
    edits = make(case)
    if edits is None:
        return  # side by side there is nothing between the two
    trace = case.trace(edits)
    if not (case.processed and case.name in ANOTHER_MODEL):
        got, expected = trace.logits, (made(case.name, False) if case.processed else case).expected(make)
        if case.processed:
            # Processing takes a constant out of all logits.
            got, expected = got.log_softmax(-1), expected.log_softmax(-1)
        scale = float(expected.abs().max())
        torch.testing.assert_close(got, expected, atol=1e-5 * scale, rtol=0)
    assert [check.reason for check in trace.sum_check()] == [""] * 3
    assert [check.reason for check in trace.layer_check()] == [""] * 6
    assert [check.reason for check in trace.lens_target().checks] == [""] * 6


@pytest.mark.parametrize("make", [heads_off, attention_off, attention_changed, everything_at_once])
@pytest.mark.parametrize("name", ["OLMo-2", "Gemma-2"])
def test_biases_stay_through_the_norm_after_the_attention(name, make):
    case = Case(name, attention_bias=True)
    assert case.model.blocks[1].attn.b_V is not None
    assert case.model.blocks[1].attn.b_O is not None
    test_a_run_with_edits_is_the_models_own_and_all_its_checks_hold(case, make)


@pytest.mark.parametrize("name", ["GPT-2", "gpt-oss", "Gemma-2", "Granite"])
def test_hooks_on_the_users_own_processed_model_do_the_same(name):
    # Processing leaves nothing in a head's z that is not its part.
    case = made(name, True)
    at, vector = case.layer, case.large

    def head_off(z, **_):
        z[:, :, 2] = 0
        return z

    def last_halved(value, **_):
        value[:, -1] = 0.5 * value[:, -1] + vector
        return value

    hooks = [
        (f"blocks.{at}.attn.hook_z", head_off),
        (f"blocks.{at}.hook_mlp_out", last_halved),
        ("blocks.0.hook_resid_pre", lambda value, **_: value + vector),
        ("blocks.2.hook_resid_post", last_halved),
    ]
    edits = [
        Edit(Site("head", at, 2), 0),
        Edit(Site("mlp", at, positions=[-1]), 0.5, vector),
        Edit(Site("resid_pre", 0), 1, vector),
        Edit(Site("resid_post", 2, positions=[-1]), 0.5, vector),
    ]
    trace = case.trace(edits)
    for row, ids in enumerate(case.inputs.tokens):
        with torch.no_grad():
            logits = case.model.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)[0, -1]
        torch.testing.assert_close(trace.logits[row], logits, atol=1e-5 * float(logits.abs().max()), rtol=0)


def hooks_on(model):
    """Count the hooks on the twin: those of its hook points, and torch's own."""
    with twin_of(model).use() as twin:
        points = sum(len(point.fwd_hooks) for point in set(twin.hook_dict.values()))
        return points + sum(
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for root in (twin, twin.original_model)
            for module in root.modules()
        )


def test_ablating_nothing_is_the_untouched_run_to_the_bit_and_no_hook_stays(case):
    untouched, before = case.trace(), hooks_on(case.model)
    nothing = [
        Edit(Site("attn", case.layer), 1),
        Edit(Site("head", case.layer, 0, [])),
        Edit(Site("resid_pre", 0), 1, torch.zeros(case.model.cfg.d_model)),
        Edit(Site("mlp", 0, positions=[]), 0),
    ]
    trace = case.trace(nothing)
    for name, value in vars(untouched._recording).items():
        assert name in ("attn_factors", "edit_rows") or same(value, getattr(trace._recording, name)), name
    for number in ("head_attribution", "target_value", "token_attribution", "logits"):
        one, other = (getattr(run, number) for run in (untouched, trace))
        if callable(one) and number == "token_attribution" and case.name in UNPROCESSED:
            continue  # its gate lets no source be credited
        assert same(*(value() if callable(value) else value for value in (one, other))), number

    def stop(done, _of):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rs.Trace(case.model, case.inputs, target=case.target, edits=everything_at_once(case), step=stop)
    assert same(case.trace(everything_at_once(case)).logits, case.trace(everything_at_once(case)).logits)
    assert same(case.trace().logits, untouched.logits)
    assert hooks_on(case.model) == before


def same(one, other):
    if one is None or other is None:
        return one is other
    return torch.equal(one.nan_to_num(nan=-123.0), other.nan_to_num(nan=-123.0))


def test_a_look_that_fails_leaves_no_hook():
    case = made("Llama", False)
    trace, before = case.trace(everything_at_once(case)), hooks_on(case.model)

    def fail(value, **_):
        raise ZeroDivisionError

    with twin_of(case.model).use() as twin, pytest.raises(ZeroDivisionError):
        trace._run.look(twin, [Watch("blocks.2.hook_in", fail)], [2])
    assert hooks_on(case.model) == before


def test_each_edits_own_row_is_what_the_checks_miss_without_it(case):
    trace = case.trace(everything_at_once(case))
    values, rows = labelled(trace), trace._recording.edit_rows
    assert len(rows) == (4 if case.name in PARALLEL else 5)
    for row in rows:
        label = f"L{row.layer}.{row.kind}_edit"
        dropped = case.trace(everything_at_once(case))
        left = {other: vector for other, vector in rows.items() if other != row}
        dropped._recording = replace(dropped._recording, edit_rows=left)
        assert label not in labelled(dropped)
        sums = dropped.sum_check()
        assert any(not check.ok for check in sums), label
        for check, missing in zip(sums, values[label].tolist(), strict=True):
            assert check.difference == pytest.approx(-missing, abs=check.tolerance), label
        for check, vector in zip(dropped.layer_check(), rows[row], strict=True):
            # The last position alone is edited at resid_post, and half of the terms stand elsewhere.
            assert check.ok == (not vector.any()), label
            if vector.any():
                assert check.layer == row.layer
                assert check.error == pytest.approx(float(vector.norm()), rel=1e-4), label


def test_rows_are_what_reaches_the_stream_after_the_edit(case):
    at, untouched = case.layer, case.trace()
    off = case.trace([Edit(Site("mlp", at), 0), Edit(Site("head", at, 1), 0)])
    rows = labelled(off)
    assert (rows[f"L{at}.mlp"] == 0).all()
    assert f"L{at}.mlp_edit" not in rows
    tolerance = max(check.tolerance for check in untouched.sum_check())
    assert off.head_attribution()[:, at, 1].abs().max() <= tolerance
    for name in ("embed", "z", "mlp_out"):
        before, after = (getattr(run._recording, name) for run in (untouched, off))
        assert same(before if name == "embed" else before[:at], after if name == "embed" else after[:at]), name
    scaled = case.trace([Edit(Site("attn", 2), 0.5, case.large)])
    torch.testing.assert_close(
        scaled.head_attribution()[:, 2].sum(-1), labelled(scaled)["L2.attn"], atol=10 * tolerance, rtol=1e-4
    )
    off = case.trace([Edit(Site("attn", 2), 0)])
    assert (off.head_attribution()[:, 2] == 0).all()
    assert (labelled(off)["L2.attn"] == 0).all()


def labelled(trace):
    parts = trace.component_attribution()
    return dict(zip(parts.labels, parts.values.T, strict=True))


@pytest.mark.parametrize("name", ["GPT-2", "Gemma-2", "gpt-oss", "OLMo-2"])
def test_all_heads_halved_are_the_attention_halved_unless_a_norm_follows(name):
    case = made(name, False)
    heads = case.trace([Edit(Site("head", 1, head), 0.5) for head in range(4)]).logits
    attention = case.trace([Edit(Site("attn", 1), 0.5)]).logits
    is_close = float((heads - attention).abs().max()) < 1e-5 * float(attention.abs().max())
    # Its scale is computed anew from what the heads give.
    assert is_close == (name in ("GPT-2", "gpt-oss"))


@pytest.mark.parametrize("name", ["GPT-2", "Qwen2", "gpt-oss", "Gemma-2", "OPT"])
def test_all_that_is_looked_up_later_is_under_the_edits(name, monkeypatch):
    case = made(name, False)
    target = Target(case.target.positions[:3], case.target.right[:3], case.target.wrong[:3])
    edits = [
        Edit(Site("resid_pre", 1), 1, case.large),
        Edit(Site("head", 1, 0), 0),
        Edit(Site("head", 2, 1, positions=[2, -1]), 0.5),
        Edit(Site("head", 2, 2, positions=[-1]), 0, case.small),
        Edit(Site("attn", 2), 2, case.large),
    ]
    kept = case.trace(edits, target)
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 10)
    later = case.trace(edits, target)
    assert later._recording.patterns is None
    heads, sources = later.head_attribution(), later.token_attribution()
    summed = sources.nansum(-1)
    assert sources[:, 2, 2].isnan().all(), "what is put in the place of what a head writes comes from no token"
    summed[:, 2, 2] = heads[:, 2, 2]
    scale = float(heads.abs().max())
    torch.testing.assert_close(summed, heads, atol=2e-5 * scale, rtol=0)
    assert (sources[:, 1, 0].nan_to_num() == 0).all()
    for layer in range(3):
        torch.testing.assert_close(later.attention(layer), kept.attention(layer), equal_nan=True)
        split = torch.stack([later.source_split(layer)[row, :, at] for row, at in enumerate(target.positions)])
        torch.testing.assert_close(split, sources[:, layer], equal_nan=True, atol=2e-5 * scale, rtol=0)
    for kind in ("previous token", "duplicate token"):
        torch.testing.assert_close(later.head_scores(kind), kept.head_scores(kind), equal_nan=True)
    plain = case.trace([], target)
    weighted, before = later.value_weighted(2), case.trace(edits[:2], target).value_weighted(2)
    assert not torch.equal(plain.attention(2).nan_to_num(), later.attention(2).nan_to_num())
    torch.testing.assert_close(weighted[:, 0], 2 * before[:, 0], equal_nan=True)
    torch.testing.assert_close(weighted[0, 1, 2], before[0, 1, 2], equal_nan=True)
    # What a head writes, read at a position that another run was recorded at.
    elsewhere = Target((3, 3, 3), target.right, target.wrong)
    for head in (1, 3):
        one, other = later.head_tokens(2, head, 1, 3, k=4), case.trace(edits, elsewhere).head_tokens(2, head, 1, k=4)
        torch.testing.assert_close(one.adds, other.adds, atol=1e-4, rtol=1e-4)
        assert torch.equal(one.promoted, other.promoted)


def test_rows_that_do_not_fit_together_are_edited_as_they_are_together(monkeypatch):
    case = made("GPT-2", False)
    edits = everything_at_once(case)
    whole, run = case.trace(edits), TransformerBridge.run_with_hooks

    def limited(self, tokens, **options):
        if len(tokens) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(self, tokens, **options)

    monkeypatch.setattr(TransformerBridge, "run_with_hooks", limited)
    halves = case.trace(edits)
    for name, one in vars(whole._recording).items():
        other = getattr(halves._recording, name)
        torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-4, equal_nan=True, msg=name)
    assert [check.reason for check in halves.sum_check()] == [""] * 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["GPT-2", "Gemma-2", "Granite", "gpt-oss", "OPT"])
def test_sixteen_bits_pass_their_own_checks_under_edits(name, dtype):
    model = architectures.build(name, dtype=dtype)
    case = made(name, False)
    trace = rs.Trace(model, case.inputs, target=case.target, edits=everything_at_once(case))
    assert [check.reason for check in trace.sum_check()] == [""] * 3
    assert [check.reason for check in trace.layer_check()] == [""] * 6
    assert [check.reason for check in trace.lens_target().checks] == [""] * 6


def test_an_edited_run_is_refused_without_the_untouched_runs_target_and_on_a_cache():
    case = made("Llama", False)
    inputs = Reader(case.model).parse(PROMPTS, None, None, None)
    untouched, edits = rs.Trace(case.model, inputs), [Edit(Site("mlp", 0), 0)]
    with pytest.raises(rs.InputError, match="needs the target of the untouched run"):
        rs.Trace(case.model, inputs, edits=edits)
    assert rs.Trace(case.model, inputs, target=untouched.target, edits=edits).target is untouched.target
    ids = untouched.tokens[:1]
    hook = ("blocks.0.hook_mlp_out", lambda value, **_: value * 0)
    with torch.no_grad(), case.model.hooks(fwd_hooks=[hook]):
        _, cache = case.model.run_with_cache(ids)
    cached = rs.Experiment.from_cache(case.model, cache, ids, (32, 33))
    with pytest.raises(rs.InputError, match="these activations come from a cache"):
        rs.Trace(case.model, cached.inputs, edits=edits)
    cached.close()
