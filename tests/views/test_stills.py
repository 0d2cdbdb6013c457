"""What still pictures say: all that live views warn of, which tokens they show, over what a mean goes."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import residscope as rs
from residscope import views
from residscope.export.colours import AMBER, SOFT
from residscope.views.base import View
from tests import tiny
from tests.tiny import PROMPTS

ROOT = Path(__file__).parents[2]
VIEWS = [getattr(views, name) for name in views.__all__ if issubclass(getattr(views, name), View)]
NS = "{http://www.w3.org/2000/svg}"


def written(view, fill=None):
    """Return the lines of text in a view's picture, those of one ink alone where one is given."""
    lines = ElementTree.fromstring(view.to_svg()).iter(f"{NS}text")
    return [line.text for line in lines if fill is None or line.get("fill") == fill]


def words(view, fill=None):
    return " ".join(written(view, fill))


@pytest.fixture
def cache_mismatch(model):
    """An experiment of a cache that is not what the model does."""
    tokens = model.to_tokens(PROMPTS[0])
    _, cache = model.run_with_cache(tokens)
    changed = dict(cache.items())
    changed["blocks.1.attn.hook_z"] = torch.zeros_like(changed["blocks.1.attn.hook_z"])
    experiment = rs.Experiment.from_cache(model, changed, tokens, (" Mary", " John"))
    experiment.selection.update(head="1.1")
    yield experiment
    experiment.close()


def test_the_picture_of_the_strip_warns_of_all_that_the_strip_warns_of(cache_mismatch):
    strip = rs.TokenStrip(cache_mismatch)
    assert cache_mismatch.trace.warnings[0].startswith("As cached")
    said = words(strip, AMBER)
    for warning in cache_mismatch.trace.warnings:
        assert warning in said
    assert cache_mismatch.trace.warnings[0] in ElementTree.fromstring(strip.to_svg()).find(f"{NS}title").text
    subtitle = strip.to_plotly().layout.title.subtitle.text
    assert "As cached" in subtitle.replace("<br>", " ")


def test_the_picture_of_attention_has_the_pinned_heads_in_the_scale_of_the_selected_one(experiment):
    view, trace = rs.AttentionPattern(experiment, hide_first=True), experiment.trace
    larger = rs.HeadAttribution.from_arrays(np.ones((10, 10)), selection=experiment.selection)
    experiment.selection.update(row=0, head="1.1", pinned=["L0H2", "L1H1", "L0.mlp", "L9H9"])
    length = trace.lengths[0]

    def shown(layer, head):
        values = trace.attention(layer, head)[0, :length, :length].clone()
        values[torch.ones(length, length).triu(1).bool()] = torch.nan
        values[:, 0] = torch.nan
        return values.numpy()

    large, group = view._figure(trace).blocks
    ((name, small),) = group.members
    assert name == "L0H2"
    np.testing.assert_array_equal(large.values, shown(1, 1))
    np.testing.assert_array_equal(small.values, shown(0, 2))
    assert large.high == small.high == np.nanmax([shown(1, 1), shown(0, 2)])
    assert "L0H2" in written(view)
    experiment.selection.update(head=None)
    (group,) = view._figure(trace).blocks
    assert [name for name, _ in group.members] == ["L0H2", "L1H1"]
    assert {"L0H2", "L1H1"} <= set(written(view))
    experiment.selection.update(row=None, pinned=[])
    view.close()
    larger.close()


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_every_picture_of_a_run_as_cached_says_so(cache_mismatch, experiment, kind):
    assert "as cached · run 1" in words(kind(cache_mismatch))
    assert "as cached" in kind(cache_mismatch).to_plotly().layout.title.text
    assert cache_mismatch.status._header["model"]["cached"] == cache_mismatch.trace.cache_mismatch
    experiment.selection.update(head="1.1")
    assert "as cached" not in words(kind(experiment))
    assert experiment.status._header["model"]["cached"] == ""


def test_the_picture_of_the_strip_names_the_hooks_that_are_left_out():
    model = tiny.bridge("llama")
    model.add_perma_hook("blocks.0.hook_resid_pre", lambda value, **_: value)
    strip = rs.TokenStrip(rs.Experiment(model, PROMPTS[0], (" Mary", " John")))
    assert "Shown without the hooks on blocks.0" in words(strip, AMBER)
    strip.experiment.close()


def test_what_a_chat_template_added_stands_back_in_the_picture(model, monkeypatch):
    experiment = rs.Experiment(model, PROMPTS[0], (" Mary", " John"))
    monkeypatch.setattr(
        type(experiment.trace.inputs), "template", property(lambda _inputs: (((0, 2), (5, 6)),)), raising=False
    )
    soft = written(rs.TokenStrip(experiment), SOFT)
    tokens = [token.replace(" ", "·") for token in experiment.trace.str_tokens[0]]
    assert [soft.count(tokens[at]) > 0 for at in (1, 3, 5, 6)] == [True, False, True, False]
    experiment.close()


def test_plotly_has_the_lens_of_all_positions_and_a_picture_says_which_it_shows(experiment):
    lens = rs.LogitLens(experiment)
    length = experiment.trace.lengths[0]
    figure = lens.to_plotly()
    assert np.array(figure.data[0].z).shape == (len(experiment.trace.depths), length)
    assert len(figure.layout.xaxis.ticktext) == length
    assert f"This shows the last 10 of {length} tokens." in words(lens)
    experiment.selection.update(position=2)
    assert f"This shows the first 10 of {length} tokens." in words(lens)
    experiment.selection.update(position=11)
    assert f"This shows positions 2 to 11 of {length} tokens." in words(lens)
    experiment.selection.update(row=1, position=None)
    assert "This shows" not in words(lens), "all seven are shown"


def test_plotly_has_the_tokens_of_all_prompts(experiment):
    (drawn,) = rs.TokenStrip(experiment, colour="direct effect").to_plotly().data
    assert [sum(text != "" for text in row) for row in drawn.text] == list(experiment.trace.lengths)
    effects = experiment.trace.token_attribution().nansum((1, 2))
    assert drawn.z[1][3] == pytest.approx(float(effects[1, 3]), abs=1e-6)


@pytest.mark.parametrize("kind", [rs.HeadAttribution, rs.LayerAttribution], ids=lambda kind: kind.__name__)
def test_a_mean_names_its_prompts_and_whose_check_is_shown(experiment, kind):
    view = kind(experiment)
    said = words(view)
    assert "mean of 2 prompts · worst prompt: sum " in said
    assert " logits by which ·Mary on average beats ·John" in said
    experiment.selection.update(row=1)
    said = words(view)
    assert " sum " in said
    assert "worst prompt" not in said
    assert "mean of" not in said


def test_a_score_is_the_mean_over_the_prompts_that_have_one(model):
    experiment = rs.Experiment(model, ["Mary Mary John Mary Mary John", "Tom met Anna"], (" Mary", " John"))
    scores = experiment.trace.head_scores("duplicate token")
    assert scores[1].isnan().all(), "nothing repeats"
    view = rs.HeadAttribution(experiment, colour="duplicate token")
    (shown, *_) = view._figure(experiment.trace).blocks
    np.testing.assert_allclose(shown.values, scores[0].numpy(), rtol=1e-6)
    assert "mean of 1 of 2 prompts" in words(view)
    experiment.selection.update(row=1)
    assert np.isnan(view._figure(experiment.trace).blocks[0].values).all()
    assert "Nothing repeats in this prompt, so it has no duplicate token score" in view._line()
    experiment.close()


def test_names_and_numbers_of_many_bars_never_touch():
    for layers in (14, 20, 60):
        labels = ["embed", *(f"L{n}.{part}" for n in range(layers) for part in ("attn", "attn_bias", "mlp"))]
        view = rs.LayerAttribution.from_arrays(np.random.default_rng(0).normal(size=len(labels)), labels)
        texts = list(ElementTree.fromstring(view.to_svg()).iter(f"{NS}text"))
        ends = [text for text in texts if text.get("text-anchor") == "end"]
        for named in (True, False):
            heights = sorted(float(text.get("y")) for text in ends if (text.text in labels) == named)
            assert len(heights) > 30
            assert np.diff(heights).min() >= 12
        view.close()


def test_an_mlp_is_lighter_than_attention_as_it_is_live():
    view = rs.LayerAttribution.from_arrays([1.0, 1.0, 1.0], ["L0.attn", "L0.mlp", "L1.attn"])
    one, mlp, other = view.to_plotly().data[0].marker.color
    assert one == other != mlp
    assert view.to_svg().count(mlp) == 1
    view.close()


def test_a_map_that_is_drawn_smaller_says_so_and_keeps_its_labels():
    tokens = [f"t{n}" for n in range(181)]
    view = rs.AttentionPattern.from_arrays(np.tril(np.full((181, 181), 0.5)), tokens)
    said = written(view)
    assert "each cell is the largest attention under it: 181 by 181 as 96 by 96" in said
    assert said.count("t0") == 2, "beside the map and above it"
    rings = [one for one in ElementTree.fromstring(view.to_svg()).iter(f"{NS}rect") if one.get("stroke") == "#1f6feb"]
    assert len(rings) == 1, "the row that is looked at"
    grid = rs.HeadGrid.from_arrays(np.tril(np.full((181, 181), 0.5)), tokens)
    assert "181 by 181 as 48 by 48" in words(grid)
    view.close()
    grid.close()


def test_the_sentence_of_a_map_gives_the_number_that_it_shows(experiment):
    experiment.selection.update(head="1.2", position=5)
    trace = experiment.trace
    effects = trace.source_split(1, 2)[0, 5, :15].nan_to_num()
    key = int(effects.abs().argmax())
    line = rs.AttentionPattern(experiment, colour="direct effect")._line()
    value = f"{abs(float(effects[key])):.5f}"[:4]
    assert f"moves most from {['BOS', '·When', '·Mary'][key] if key < 3 else ''}" in line
    assert value.rstrip("0") in line
    assert line.endswith(" logits.")
    assert "with length " in rs.AttentionPattern(experiment, colour="value-weighted")._line()


def test_numbers_that_are_nearly_nothing_or_nearly_one_are_written_so():
    small = np.tril(np.full((3, 3), 2e-5))
    view = rs.AttentionPattern.from_arrays(small, ["a", "b", "c"])
    assert view._line().endswith("with <0.01.")
    lens = rs.LogitLens.from_arrays(["a"], [["b"]], [[0.9997]])
    assert "b leads with >0.99." in lens._line()
    view.close()
    lens.close()


def test_pictures_of_arrays_name_no_run_no_unit_and_no_side_of_an_answer():
    view = rs.HeadAttribution.from_arrays([[1.0, -3.0], [np.nan, 0.5]], name="mine")
    lines = written(view)
    assert {"mine", "highest", "lowest"} <= set(lines)
    assert not any("run" in line or "towards" in line or line.endswith("·") for line in lines)
    highest, lowest = view._figure(view.trace).blocks[1:]
    assert highest.rows == [("L0H0", "+1.00"), ("L1H1", "+0.500")]
    assert lowest.rows == [("L0H1", "−3.00")]
    view.close()


def test_the_lists_of_heads_name_the_answers(experiment):
    _, towards, away = rs.HeadAttribution(experiment)._figure(experiment.trace).blocks
    assert (towards.heading, away.heading) == ("towards ·Mary", "towards ·John")
    experiment.update(answers=" Mary")
    _, towards, away = rs.HeadAttribution(experiment)._figure(experiment.trace).blocks
    assert (towards.heading, away.heading) == ("towards ·Mary", "away from ·Mary")


@pytest.mark.parametrize("kind", [rs.AttentionPattern, rs.HeadReadout], ids=lambda kind: kind.__name__)
def test_without_a_head_there_is_no_table_and_no_plotly_figure(experiment, kind):
    view = kind(experiment)
    for made in (view.to_frame, view.to_plotly):
        with pytest.raises(ValueError, match=r'no head is selected: exp\.selection\.update\(head="2\.5"\)'):
            made()
    assert "No head is selected." in words(view)


def test_in_every_table_a_head_is_called_by_its_name(experiment):
    experiment.selection.update(head="1.2")
    for kind in (rs.HeadAttribution, rs.AttentionPattern, rs.HeadReadout, rs.HeadGrid):
        assert "L1H2" in set(kind(experiment).to_frame()["head"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda view: view.to_svg("a.svg"), r'to_svg takes a width in pixels .* Path\("a.svg"\)\.write_text'),
        (lambda view: view.to_png("a.png"), r'to_png takes a width in pixels .* Path\("a.png"\)\.write_bytes'),
        (lambda view: view.to_png(True), "to_png takes a width in pixels"),
        (lambda view: view.to_svg(-3), "at least one pixel wide"),
    ],
)
def test_a_width_that_is_none_is_refused(experiment, call, sentence):
    view = rs.LayerAttribution(experiment)
    for one in (view, rs.Row([view])):
        with pytest.raises((TypeError, ValueError), match=sentence):
            call(one)


def test_boxes_are_pictured_as_their_views_one_below_the_other(experiment):
    heads, layers = rs.HeadAttribution(experiment), rs.LayerAttribution(experiment)
    box = rs.Column([heads, rs.Row([layers])])
    assert words(box) == f"{words(heads)} {words(layers)}"
    assert box.to_png().startswith(b"\x89PNG")
    assert "Logit lens" in words(rs.Workbench(experiment))
