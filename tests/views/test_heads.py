"""What the card of one head and the small maps send, against the trace."""

import numpy as np
import pytest
import torch

import residscope as rs
from residscope.views import head_grid
from residscope.views.patterns import shrunk
from tests import architectures, tiny
from tests.settled import answers, asked, filled, read, settle
from tests.tiny import PROMPTS


@pytest.fixture
def experiment():
    made = rs.Experiment(tiny.bridge("llama"), PROMPTS, (" Mary", " John"))
    yield made
    made.close()


def test_the_card_holds_the_traces_numbers_of_what_is_selected(experiment):
    view = filled(rs.HeadReadout(experiment))
    trace = experiment.trace
    assert answers(view) == {}, "no head is selected"
    experiment.selection.update(head="1.2", row=1, position=3)
    (key,) = view._selected_keys(trace)
    info, _ = asked(view, key)[key]
    card, run = info["card"], read(view._answer)[0]
    assert (run, card["head"], card["row"], card["position"]) == (1, [1, 2], 1, 3)
    weights = trace.attention(1, 2)[1, 3, : trace.lengths[1]]
    assert [key for key, _ in card["looks"]] == weights.topk(5).indices.tolist()
    assert card["effect"] == pytest.approx(float(trace.head_attribution()[1, 1, 2]))
    sizes = trace.head_attribution()[1].abs()
    assert card["rank"] == 1 + int((sizes > sizes[1, 2]).sum())
    assert card["shares"] == [3], "four heads share two heads of keys and values"
    written = trace.head_tokens(1, 2, 1, 3, k=5)
    assert card["writes"][0] == [
        "promotes",
        [list(pair) for pair in zip(written.promoted.tolist(), written.adds.tolist(), strict=True)],
    ]
    assert all(str(token) in info["texts"] for _, pairs in card["writes"] for token, _ in pairs)
    assert card["scores"][1] == ["previous token", pytest.approx(float(trace.head_scores("previous token")[1, 1, 2]))]


def test_a_new_run_brings_a_new_card(experiment):
    experiment.selection.update(head="1.2")
    view = rs.HeadReadout(experiment)
    experiment.update(prompts="Tom met Anna at the park")
    experiment.wait()
    settle(experiment)
    assert read(view._answer)[0] == read(view._data)[0] == 2
    assert list(answers(view)) == [f"card/0/L1H2/{experiment.trace.lengths[0] - 1}"]


def test_a_hybrids_layer_without_heads_has_no_card():
    experiment = rs.Experiment(architectures.build("Qwen3.5 (hybrid)"), PROMPTS, (" Mary", " John"))
    experiment.selection.update(head="0.0")
    view, grid = filled(rs.HeadReadout(experiment)), filled(rs.HeadGrid(experiment))
    assert [error for error, _ in answers(view).values()] == ["Layer 0 has no attention heads."]
    assert "layer 0 has no attention heads" in view._line()
    assert np.isnan(read(grid._data)[2]["row.0"][0]).all()
    experiment.selection.update(head="2.0")
    assert view.to_frame()["kind"].unique().tolist() == ["looks at", "promotes", "suppresses", "direct effect", "score"]
    experiment.close()


def test_the_readout_as_a_table_and_a_sentence(experiment):
    view = rs.HeadReadout(experiment)
    with pytest.raises(ValueError, match=r"no head is selected: exp\.selection\.update"):
        view.to_frame()
    experiment.selection.update(head="2.1")
    frame = view.to_frame().set_index("kind")
    effect = float(experiment.trace.head_attribution()[0, 2, 1])
    assert frame.loc["direct effect", "value"] == pytest.approx(effect)
    assert "L2H1 at ·to (14) looks most at" in view._line()
    assert "promotes" in view._line()


def test_the_grid_sends_all_layers_ahead_and_sorts_by_what_is_asked(experiment):
    view = filled(rs.HeadGrid(experiment))
    _, info, arrays = read(view._data)
    trace = experiment.trace
    for row, length in enumerate(trace.lengths):
        query, key = np.tril_indices(length)
        expected = trace.attention(1)[row].numpy()[:, query, key]
        np.testing.assert_allclose(arrays[f"row.{row}"][1], expected, atol=1e-3)
    assert (info["ahead"], info["sort"], "values" in arrays) == (True, "head", False)
    view.sort = "direct effect"
    settle(experiment)
    _, info, arrays = read(view._data)
    np.testing.assert_array_equal(arrays["values"], trace.head_attribution().numpy())
    assert (info["sort"], info["unit"]) == ("direct effect", "logits")
    experiment.selection.update(head="1.0")
    order = trace.head_attribution()[0, 1].argsort(descending=True).tolist()
    assert view.to_frame()["head"].tolist() == [f"L1H{head}" for head in order]
    view.sort = "previous token"
    settle(experiment)
    np.testing.assert_array_equal(read(view._data)[2]["values"], trace.head_scores("previous token").numpy())


def test_what_does_not_travel_ahead_is_sent_for_the_heads_shown(experiment, monkeypatch):
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 10)
    monkeypatch.setattr(head_grid, "SIDE", 5)
    experiment.update()
    view = filled(rs.HeadGrid(experiment))
    assert read(view._data)[2] == {}
    assert read(view._answer)[0] == 2
    assert list(answers(view)) == [f"map/0/L2H{head}" for head in range(4)]
    assert [arrays["weights"].shape for _, arrays in answers(view).values()] == [(15,)] * 4
    view.shown = "pinned heads"
    experiment.selection.update(pinned=["L0H1", "L1.mlp", "L2H3"])
    assert view._selected_keys(experiment.trace) == ["map/0/L0H1", "map/0/L2H3"]
    map_of = shrunk(experiment.trace, experiment.trace.attention(2, 3)[0], 5).numpy()
    (_, arrays) = asked(view, "map/0/L2H3")["map/0/L2H3"]
    np.testing.assert_allclose(arrays["weights"], map_of[np.tril_indices(5)], atol=1e-3)


def test_a_shrunk_map_holds_the_largest_weight_of_those_under_each_cell(experiment):
    trace = experiment.trace
    patterns = torch.rand(2, 100, 100).tril()
    small = shrunk(trace, patterns, 48)
    assert small.shape == (2, 48, 48)
    at = torch.arange(100) * 48 // 100
    for row, col in ((0, 0), (20, 7), (47, 47), (3, 3)):
        under = patterns[:, at == row][:, :, at == col]
        torch.testing.assert_close(small[:, row, col], under.amax((1, 2)))
    assert small.triu(1).count_nonzero() == 0
    assert shrunk(trace, patterns[:, :48, :48], 48).shape == (2, 48, 48)


@pytest.mark.parametrize("value", ["layer", "layer x", "heads", "layer 3 ", ""])
def test_only_layers_and_pins_are_shown(experiment, value):
    with pytest.raises(Exception, match="shown is 'selected layer', 'pinned heads' or 'layer 3'"):
        rs.HeadGrid(experiment, shown=value)


def test_a_layer_that_is_not_there_is_said(experiment):
    view = rs.HeadGrid(experiment, shown="layer 9")
    assert view._line().endswith("there is no such layer in this run")
    assert view.to_frame().empty
    view.shown = "pinned heads"
    assert view._line().endswith("no pinned head is in this run")


def test_arrays_have_cards_and_small_maps_too():
    weights = np.tril(np.ones((2, 3, 4, 4))) / np.arange(1, 5)[:, None]
    tokens = ["<s>", " the", " cat", " sat"]
    effects = np.array([[0.1, -2.0, 0.3], [0.4, 0.5, 0.6]])
    writes = np.zeros((2, 3, 5))
    writes[0, 1] = [3, -1, 0, 2, -2]
    view = rs.HeadReadout.from_arrays(
        weights, tokens, effects=effects, writes=writes, vocabulary=list("abcde"), name="effect", unit="nats"
    )
    view.selection.update(head=(0, 1))
    info, _ = asked(view, "card/0/L0H1/3")["card/0/L0H1/3"]
    card = info["card"]
    assert (card["effect"], card["rank"], card["scores"]) == (-2.0, 1, [])
    named = [[info["texts"][str(token)], value] for token, value in card["writes"][0][1]]
    assert named == [["a", 3.0], ["d", 2.0], ["c", 0.0], ["b", -1.0], ["e", -2.0]]
    assert "promotes a most and suppresses e" in view._line()
    grid = rs.HeadGrid.from_arrays(weights, tokens, values=effects)
    grid.sort = "direct effect"
    assert grid.to_frame()["head"].tolist() == ["L1H2", "L1H1", "L1H0"]
    for refused, sentence in (
        (lambda: rs.HeadReadout.from_arrays(weights, tokens, effects=[[1.0]]), r"effects has \[1, 1\]"),
        (lambda: rs.HeadReadout.from_arrays(weights, tokens, writes=writes), "vocabulary has 0"),
        (lambda: rs.HeadGrid.from_arrays(weights, tokens, values=[[1.0]]), r"values has \[1, 1\]"),
    ):
        with pytest.raises(ValueError, match=sentence):
            refused()
    for made in (view, grid):
        made.close()
