"""What the views send for each colour, and what they refuse."""

import numpy as np
import pytest
import torch
import traitlets

import residscope as rs
from tests import architectures, tiny
from tests.settled import answers, asked, filled, read, settle
from tests.tiny import PROMPTS


def unpacked(triangle, length):
    square = np.zeros((length, length), np.float32)
    square[np.tril_indices(length)] = triangle
    return square


@pytest.mark.parametrize("score", ["induction", "previous token", "duplicate token"])
def test_heads_are_coloured_by_a_score_of_this_prompt(experiment, score):
    view = filled(rs.HeadAttribution(experiment))
    np.testing.assert_array_equal(read(view._data)[2]["0.values"], experiment.trace.head_attribution().numpy())
    view.colour = score
    settle(experiment)
    run, info, arrays = read(view._data)
    (shown,) = info["quantities"]
    assert (run, shown["name"], shown["measured_on"]) == (1, f"{score} score", "this prompt")
    np.testing.assert_array_equal(arrays["0.values"], experiment.trace.head_scores(score).numpy())
    frame = view.to_frame()
    assert frame[score].tolist() == pytest.approx(arrays["0.values"].reshape(-1).tolist(), nan_ok=True)
    np.testing.assert_array_equal(frame["direct_effect"], experiment.trace.head_attribution().numpy().reshape(-1))


def test_a_score_on_random_repeats_is_one_for_all_prompts_and_measured_once(experiment, monkeypatch):
    view = filled(rs.HeadAttribution(experiment, colour="induction", scores_on="random repeats"))
    _, info, arrays = read(view._data)
    assert info["quantities"][0]["measured_on"] == "random repeats"
    np.testing.assert_array_equal(arrays["0.values"], rs.head_scores(experiment.model, "induction")[None].numpy())
    monkeypatch.setattr("residscope.views.head_attribution.head_scores", None)
    experiment.update(prompts=PROMPTS[1])
    assert experiment.trace.number == 2
    settle(experiment)
    assert read(view._data)[0] == 2


def test_new_weights_are_measured_anew():
    model = tiny.bridge("llama", seed=7)
    experiment = rs.Experiment(model, PROMPTS)
    view = filled(rs.HeadAttribution(experiment, colour="induction", scores_on="random repeats"))
    before = read(view._data)[2]["0.values"]
    with torch.no_grad():
        model.blocks[1].attn.W_K.mul_(3)
        next(iter(model.parameters())).mul_(2)
    experiment.update()
    assert experiment.trace.number == 2
    settle(experiment)
    assert not np.array_equal(read(view._data)[2]["0.values"], before)
    experiment.close()


@pytest.mark.parametrize(
    ("colour", "ask"),
    [("value-weighted", "value_weighted"), ("direct effect", "source_split")],
)
def test_a_pattern_is_coloured_head_by_head(experiment, colour, ask):
    view = rs.AttentionPattern(experiment)
    experiment.selection.update(head="1.2", row=1, pinned=["L0H3"])
    view.colour = colour
    keys = [f"pattern/1/L1H2/{colour}", f"pattern/1/L0H3/{colour}"]
    trace = experiment.trace
    assert view._selected_keys(trace) == keys
    length = trace.lengths[1]
    found = asked(view, *keys)
    for key, (layer, head) in zip(keys, [(1, 2), (0, 3)], strict=True):
        triangle = found[key][1]["weights"]
        expected = getattr(trace, ask)(layer, head)[1, :length, :length].numpy()
        np.testing.assert_allclose(unpacked(triangle, length), expected, atol=2e-3, rtol=2e-3)
    frame = view.to_frame()
    assert frame.query("query == 3 and key == 2")[colour].item() == pytest.approx(
        float(getattr(trace, ask)(1, 2)[1, 3, 2])
    )


def test_a_large_runs_heads_bring_what_colours_them_alone(experiment, monkeypatch):
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 100)
    monkeypatch.setattr(rs.Trace, "patterns_sent_with_run", property(lambda _trace: False))
    experiment.selection.update(head=(0, 1))
    view = filled(rs.AttentionPattern(experiment, colour="direct effect"))
    assert read(view._data)[2] == {}
    ((key, (_, arrays)),) = answers(view).items()
    assert (key, set(arrays)) == ("pattern/0/L0H1/direct effect", {"weights"})


def test_tokens_are_tinted_by_what_each_head_takes_from_them(experiment):
    view = filled(rs.TokenStrip(experiment))
    assert read(view._data)[1]["colour"] == "none"
    view.colour = "direct effect"
    settle(experiment)
    _, info, arrays = read(view._data)
    assert (info["colour"], info["unit"], info["refused"]) == ("direct effect", "logits", None)
    np.testing.assert_array_equal(arrays["sources"], experiment.trace.token_attribution().numpy())
    heads = experiment.trace.head_attribution().sum((1, 2))
    assert view.to_frame().groupby("row").direct_effect.sum().tolist() == pytest.approx(heads.tolist(), abs=1e-4)


def test_a_gated_models_sources_are_refused_in_the_views():
    experiment = rs.Experiment(architectures.build("Qwen3.5 (hybrid)"), PROMPTS, (" Mary", " John"))
    experiment.selection.update(head=(2, 1))
    _, info, arrays = read(filled(rs.TokenStrip(experiment, colour="direct effect"))._data)
    ((refused, weights),) = answers(filled(rs.AttentionPattern(experiment, colour="direct effect"))).values()
    for reason in (info["refused"], refused):
        assert reason.startswith("a gate, a clip, a norm or a hook stands between")
    assert not {"sources"} & set(arrays)
    assert weights == {}
    experiment.close()


@pytest.mark.parametrize(
    "kind", [rs.TokenStrip, rs.HeadAttribution, rs.AttentionPattern], ids=lambda kind: kind.__name__
)
def test_an_unknown_colour_is_refused_from_both_sides(experiment, kind):
    view = kind(experiment)
    before = view.colour
    with pytest.raises(traitlets.TraitError, match="pink"):
        view.colour = "pink"
    view.set_state({"colour": "pink"})
    assert view.colour == before
