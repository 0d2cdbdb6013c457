"""Views of plain arrays: no model, the same pictures, one selection."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load

import residscope as rs
from residscope.errors import NoModelError
from tests.settled import answers, asked

TOKENS = ["<s>", " the", " cat", " sat"]


def read(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["info"]), load(data)


def weights(*shape, causal=True):
    values = np.random.default_rng(0).random((*shape, 4, 4)).astype(np.float32)
    return np.tril(values) if causal else values


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, np.ndarray.tolist], ids=["array", "tensor", "list"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 3)], ids=str)
def test_attention_of_any_depth_from_arrays_tensors_or_lists(kind, shape):
    given = weights(*shape)
    view = rs.AttentionPattern.from_arrays(kind(given), TOKENS)
    info, arrays = read(view._data)
    assert info["causal"] is True
    full = given.reshape((1,) * (5 - given.ndim) + given.shape)[0]
    query, key = np.tril_indices(4)
    np.testing.assert_allclose(arrays["row.0"], full[:, :, query, key], atol=1e-3)
    assert view.selection.head == (0, 0)
    frame = view.to_frame()
    np.testing.assert_allclose(frame["weight"], full[0, 0][query, key], rtol=1e-6)
    assert frame["query_token"].tolist()[-1] == " sat"
    assert "L0H0 at ·sat (3) looks most at" in view._line()
    view.close()


def test_attention_to_later_tokens_is_shown_whole():
    given = weights(2, causal=False)
    view = rs.AttentionPattern.from_arrays(given, TOKENS)
    info, arrays = read(view._data)
    assert info["causal"] is False
    np.testing.assert_allclose(arrays["row.0"][0], given.reshape(2, 16), atol=1e-3)
    assert len(view.to_frame()) == 16
    view.close()


def test_large_attention_is_sent_for_the_head_that_is_selected():
    view = rs.AttentionPattern.from_arrays(np.full((4, 8, 300, 300), 0.5, np.float32), ["a"] * 300)
    info, arrays = read(view._data)
    assert (info["ahead"], arrays) == (False, {})
    view.selection.update(head="3.7")
    _, arrays = asked(view, "pattern/0/L3H7/attention")["pattern/0/L3H7/attention"]
    assert arrays["weights"].shape == (300 * 300,)
    view.close()


def test_heads_layers_and_tokens_hold_the_numbers_they_were_given():
    numbers = np.array([[0.5, -1.5], [2.0, np.nan]], np.float32)
    heads = rs.HeadAttribution.from_arrays(numbers, name="ablation effect", unit="nats")
    np.testing.assert_array_equal(read(heads._data)[1]["0.values"], numbers[None])
    assert heads.to_frame()["value"].tolist()[:3] == [0.5, -1.5, 2.0]
    assert heads._line() == "HeadAttribution: The largest is L1H0's, +2.00 nats."
    layers = rs.LayerAttribution.from_arrays([[1.0, -2.0], [3.0, 0.0]], ["L0.attn", "L0.mlp"], name="effect")
    info, arrays = read(layers._data)
    assert info["quantities"][0]["coords"] == {"component": ["L0.attn", "L0.mlp"]}
    layers.selection.update(pinned=["L0.mlp"])
    with pytest.raises(rs.InputError, match=r"no run shown has the component 'L1\.mlp'; similar names are L0\.mlp"):
        layers.selection.update(pinned=["L1.mlp"])
    np.testing.assert_array_equal(arrays["0.values"], [[1, -2], [3, 0]])
    strip = rs.TokenStrip.from_arrays(TOKENS, [0.1, 0.2, -0.3, 0.4], name="surprise")
    info, arrays = read(strip._data)
    assert info["called"] == "surprise"
    np.testing.assert_allclose(arrays["sources"], np.array([0.1, 0.2, -0.3, 0.4], np.float32).reshape(1, 1, 1, 4))
    assert strip.to_frame()["value"].tolist() == pytest.approx([0.1, 0.2, -0.3, 0.4])
    for view in (heads, layers, strip):
        header = view.status._header
        assert header["model"] is None
        assert header["rows"][0]["target"]["value"] is None
        view.close()


def test_a_lens_of_ones_own_guesses():
    guesses = [[["a", "b"], ["c", "d"]], [["e", "f"], ["a", "h"]]]
    shares = np.array([[[0.9, 0.1], [0.8, 0.2]], [[0.7, 0.3], [0.6, 0.4]]])
    lens = rs.LogitLens.from_arrays(
        ["x", "y"], guesses, shares, depths=["early", "late"], target=[1.0, 2.0], name="gap"
    )
    info, arrays = read(lens._data)
    shown = [[[info["texts"][str(token)] for token in one] for one in line] for line in arrays["top_ids.0"].tolist()]
    assert shown == guesses
    np.testing.assert_allclose(arrays["top_probs.0"], shares, atol=1e-3)
    np.testing.assert_array_equal(arrays["target_value"], [[1.0, 2.0]])
    assert lens.status._header["depths"] == ["early", "late"]
    assert lens._line().endswith("At late, after y (1), a leads with 0.60; gap is 2.00.")
    assert lens.to_frame()["token"].tolist() == ["a", "b", "c", "d", "e", "f", "a", "h"]
    lens.close()
    flat = rs.LogitLens.from_arrays(["x", "y"], [["a", "b"]], [[0.9, 0.8]])
    assert read(flat._data)[1]["top_ids.0"].shape == (1, 2, 1)
    flat.close()


def test_views_of_arrays_share_a_selection_with_each_other_and_with_an_experiment():
    selection = rs.Selection()
    heads = rs.HeadAttribution.from_arrays(np.ones((2, 3)), selection=selection)
    pattern = rs.AttentionPattern.from_arrays(weights(2, 3), TOKENS, selection=selection)
    assert heads.selection is pattern.selection is selection
    selection.update(head="1.2")
    assert "L1H2" in pattern._line()
    for view in (heads, pattern):
        view.close()


def made_of(number):
    """Return every view of arrays with this number among those it is given."""
    maps = weights(2, 3).astype(np.float64)
    maps[1, 2, 3, 1] = number
    heads = np.ones((2, 3))
    heads[1, 2] = number
    words = np.ones((2, 3, 2))
    words[0, 0, 1] = number
    return [
        lambda: rs.HeadAttribution.from_arrays(heads),
        lambda: rs.AttentionPattern.from_arrays(maps, TOKENS, selection=rs.Selection(head=(1, 2))),
        lambda: rs.HeadGrid.from_arrays(maps, TOKENS, values=heads),
        lambda: rs.HeadReadout.from_arrays(
            maps, TOKENS, effects=heads, writes=words, vocabulary=["a", "b"], selection=rs.Selection(head=(1, 2))
        ),
        lambda: rs.HeadReadout.from_arrays(weights(2, 3), TOKENS, writes=words, vocabulary=["a", "b"]),
        lambda: rs.LayerAttribution.from_arrays([[1.0, number], [2.0, number]], ["L0.attn", "L0.mlp"]),
        lambda: rs.TokenStrip.from_arrays(TOKENS, [1.0, number, 2.0, 3.0]),
        lambda: rs.LogitLens.from_arrays(["x"], [["a"], ["b"]], [[0.5], [number]], target=[1.0, number]),
    ]


@pytest.mark.parametrize("which", range(8))
def test_nan_is_blank_in_every_view_and_infinity_is_refused(which):
    view = made_of(np.nan)[which]()
    assert "nan" not in view.to_svg().lower()
    assert "nan" not in view._line().lower()
    view.to_plotly().to_json()
    assert len(view.to_frame()) > 0
    view.close()
    for number in (np.inf, -np.inf, 1e300):
        with pytest.raises(ValueError, match="hold infinity, or numbers beyond float32: give NaN where there is no"):
            made_of(number)[which]()


def test_a_number_that_is_not_there_is_no_zero():
    strip = rs.TokenStrip.from_arrays(TOKENS, [1.0, np.nan, 2.0, 3.0])
    assert np.isnan(strip.to_frame()["value"][1])
    assert strip.to_svg().count('rx="3"') == 3, "tinted tokens"
    card = rs.HeadReadout.from_arrays(
        weights(1, 1), TOKENS, effects=[[np.nan]], writes=[[[np.nan, 2.0]]], vocabulary=["a", "b"]
    )
    ((said, _),) = answers(card).values()
    assert said["card"]["effect"] is None
    assert card.to_frame()["name"].tolist().count("b") == 2
    assert "a" not in card.to_frame()["name"].tolist()
    mean = rs.LayerAttribution.from_arrays([[1.0, np.nan], [3.0, 5.0]], ["one", "two"])
    assert mean._figure(mean.trace).blocks[0].values.tolist() == [2.0, 5.0]
    for view in (strip, card, mean):
        view.close()


def test_half_a_character_goes_into_every_table():
    half = ["\ud800", "b"]
    square = np.ones((2, 2))
    for view in (
        rs.TokenStrip.from_arrays(half, [1.0, 2.0], name="\ud800", unit="\ud800"),
        rs.AttentionPattern.from_arrays(square, half),
        rs.HeadGrid.from_arrays(square, half),
        rs.HeadReadout.from_arrays(square, half, writes=[[[1.0, 2.0]]], vocabulary=half),
        rs.LogitLens.from_arrays(half, [half], [[0.5, 0.5]]),
        rs.HeadAttribution.from_arrays(square, name="\ud800", unit="\ud800"),
        rs.LayerAttribution.from_arrays([1.0], ["\ud800"], unit="\ud800"),
    ):
        view.to_frame().to_csv().encode()
        json.dumps(view.status._header, ensure_ascii=False).encode()
        view.to_svg().encode()
        view.close()


def attention_of(run):
    return run.find("layer", "head", "query", "key").values


@pytest.mark.parametrize("kind", [rs.AttentionPattern, rs.HeadGrid, rs.HeadReadout], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("given", [tuple, list])
def test_the_attentions_of_transformers_are_layers(kind, given):
    rows = weights(2, 3, 5)
    layers = given(torch.tensor(layer) for layer in rows)
    view = kind.from_arrays(layers, [TOKENS] * 3)
    trace = view.trace
    assert (trace.n_layers, trace.n_heads, len(trace.lengths)) == (2, 5, 3)
    np.testing.assert_array_equal(attention_of(trace)[2, 1, 4], rows[1, 2, 4])
    view.close()
    same = kind.from_arrays(given(layer[0] for layer in layers), TOKENS)
    np.testing.assert_array_equal(attention_of(same.trace)[0, 1, 4], rows[1, 0, 4])
    same.close()
    with pytest.raises(
        TypeError, match='weights has None, which transformers returns without attn_implementation="eager"'
    ):
        kind.from_arrays(given([None, None]), TOKENS)
    with pytest.raises(ValueError, match="the layers' weights have different shapes"):
        kind.from_arrays(given([torch.ones(1, 2, 4, 4), torch.ones(1, 3, 4, 4)]), TOKENS)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: rs.AttentionPattern.from_arrays(np.ones((3, 3)), "cat"), "tokens is a list of texts"),
        (lambda: rs.AttentionPattern.from_arrays(np.ones((3, 3)), None), "tokens is a list of texts"),
        (
            lambda: rs.AttentionPattern.from_arrays(np.full((1, 1), 1e5), ["a"]),
            "weights must be at most 65,504 in size",
        ),
        (lambda: rs.TokenStrip.from_arrays([1, 2]), "tokens is a list of texts"),
        (lambda: rs.TokenStrip.from_arrays("cat"), "tokens is a list of texts"),
        (lambda: rs.TokenStrip.from_arrays([["a"], [2]]), "tokens is a list of texts"),
        (lambda: rs.LogitLens.from_arrays(["x"], [[3]], [[0.1]]), "top_tokens holds texts"),
        (lambda: rs.HeadAttribution.from_arrays([[10**400]]), "hold infinity"),
        (lambda: rs.AttentionPattern.from_arrays(np.ones((2, 3)), ["a"]), "2 queries by 3 keys: give square maps"),
        (lambda: rs.AttentionPattern.from_arrays(np.ones((4, 4)), ["a"]), "1 rows of 4 tokens, and tokens has 1"),
        (lambda: rs.AttentionPattern.from_arrays(np.ones(4), ["a"]), r"weights have the shape \[query key\] or"),
        (lambda: rs.AttentionPattern.from_arrays("weights", ["a"]), "weights are numbers, as an array"),
        (lambda: rs.AttentionPattern.from_arrays(np.ones((1, 1)), [3]), "tokens is a list of texts"),
        (lambda: rs.HeadAttribution.from_arrays([[1, 2], [3]]), "values are numbers.*equal lengths"),
        (lambda: rs.HeadAttribution.from_arrays([]), r"values have the shape \[layer head\]"),
        (lambda: rs.LayerAttribution.from_arrays([1.0], ["a", "b"]), "2 labels for 1 components"),
        (lambda: rs.TokenStrip.from_arrays(TOKENS, [1.0]), "1 rows of 1 tokens, and tokens has 4"),
        (lambda: rs.LogitLens.from_arrays(["x"], [["a"]], [[0.1, 0.2]]), "must have the shape of top_probs"),
        (lambda: rs.LogitLens.from_arrays(["x"], [["a"]], [[0.1]], depths=["a", "b"]), "top_probs has 1 depths"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(make, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()


def test_what_only_a_model_could_compute_is_refused():
    heads = rs.HeadAttribution.from_arrays(np.ones((2, 3)))
    with pytest.raises(NoModelError, match="this view shows arrays: there is no model to compute 'induction' with"):
        heads.colour = "induction"
    heads.close()


def test_closing_a_view_of_arrays_closes_what_it_brought():
    view = rs.HeadAttribution.from_arrays(np.ones((2, 3)))
    models = [view, view.selection, view.status]
    view.close()
    assert [model.comm for model in models] == [None] * 3


@pytest.mark.parametrize("figure", ["to_svg", "to_plotly", "to_png"])
def test_every_view_of_arrays_is_pictured(figure):
    made = [
        rs.HeadAttribution.from_arrays(np.ones((2, 3))),
        rs.AttentionPattern.from_arrays(weights(2, 3), TOKENS),
        rs.LayerAttribution.from_arrays([1.0, -2.0], ["L0.attn", "L0.mlp"]),
        rs.TokenStrip.from_arrays(TOKENS),
        rs.LogitLens.from_arrays(["x"], [["a"]], [[0.5]]),
    ]
    for view in made:
        assert getattr(view, figure)()
        view.close()


ATTENTION = rs.Quantity("attention", weights(2, 3), "layer head query key")
GUESSES = rs.Quantity("probability", [[[0.5]]], "depth pos k", labels=[[["a"]]])


def test_views_with_a_canvas_take_quantities_as_they_take_arrays():
    curve = rs.Quantity("gap", [1.0], "depth", "nats")
    effects = rs.Quantity("effect", np.arange(6.0).reshape(2, 3), "layer head", "nats")
    written = rs.Quantity("writes", np.ones((2, 3, 2)) * [1, -1], "layer head vocab", coords={"vocab": ["a", "b"]})
    for view, same in (
        (
            rs.TokenStrip.from_quantities([rs.Quantity("tint", np.arange(4.0), "pos", "nats")], TOKENS),
            rs.TokenStrip.from_arrays(TOKENS, np.arange(4.0), name="tint", unit="nats"),
        ),
        (
            rs.AttentionPattern.from_quantities([ATTENTION], TOKENS),
            rs.AttentionPattern.from_arrays(ATTENTION.values, TOKENS),
        ),
        (
            rs.HeadGrid.from_quantities([ATTENTION, effects], [TOKENS]),
            rs.HeadGrid.from_arrays(ATTENTION.values, TOKENS, values=effects.values),
        ),
        (
            rs.HeadReadout.from_quantities([effects, ATTENTION, written], TOKENS),
            rs.HeadReadout.from_arrays(
                ATTENTION.values,
                TOKENS,
                effects=effects.values,
                writes=written.values,
                vocabulary=["a", "b"],
                name="effect",
                unit="nats",
            ),
        ),
        (
            rs.LogitLens.from_quantities([curve, GUESSES], ["x"]),
            rs.LogitLens.from_arrays(["x"], [[["a"]]], [[[0.5]]], target=[1.0], name="gap", unit="nats"),
        ),
    ):
        np.testing.assert_equal(read(view._data), read(same._data))
        np.testing.assert_equal(answers(view), answers(same))
        assert view.status._header == same.status._header
        assert view.selection.head == same.selection.head
        assert view._line() == same._line()
        assert view.to_frame().equals(same.to_frame())
        view.close()
        same.close()


def test_numbers_of_one_prompt_are_the_same_in_every_row():
    view = rs.TokenStrip.from_quantities([rs.Quantity("tint", [1.0, 2.0], "pos")], [["a", "b"], ["c", "d"]])
    assert view.to_frame()["value"].tolist() == [1.0, 2.0, 1.0, 2.0]
    view.close()


def test_guesses_may_be_ids_without_texts():
    guesses = rs.Quantity("probability", [[[0.5, np.nan]]], "depth pos k", labels=np.array([[[7, -1]]]))
    view = rs.LogitLens.from_quantities([guesses], ["x"])
    assert view.to_frame()[["token", "probability"]].to_numpy().tolist() == [["7", 0.5]]
    view.close()


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (
            lambda: rs.AttentionPattern.from_quantities([rs.Quantity("weights", weights(), "query key")], TOKENS),
            NoModelError,
            r"no model to compute 'attention \[layer head query key\]' with",
        ),
        (lambda: rs.HeadGrid.from_quantities([ATTENTION]), rs.InputError, "'attention' goes along tokens: give their"),
        (
            lambda: rs.AttentionPattern.from_quantities(
                [rs.Quantity("attention", np.full((1, 1, 1, 1), 1e5), "layer head query key")], ["a"]
            ),
            ValueError,
            "attention must be at most 65,504 in size",
        ),
        (
            lambda: rs.LogitLens.from_quantities([rs.Quantity("probability", [[[0.5]]], "depth pos k")], ["x"]),
            rs.InputError,
            "'probability' has no labels: give a text or an id for each number",
        ),
        (lambda: rs.LogitLens.from_quantities([ATTENTION], TOKENS), rs.InputError, "a view draws 3 axes besides the"),
        (lambda: rs.View.from_quantities([GUESSES], ["x"]), rs.InputError, "a view draws 2 axes besides the row"),
    ],
)
def test_quantities_that_a_view_does_not_show_are_refused_in_a_sentence(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()
