"""What each view sends: the numbers of the trace, the run they belong to, and nothing the browser did not declare."""

import base64
import json

import numpy as np
import pytest
import torch

import residscope as rs
from residscope import views
from residscope.analysis.check import LayerCheck
from residscope.experiment import source_of
from residscope.export.words import number as written
from residscope.live.worker import Priority, Ticket
from residscope.runs.runs import Runs
from residscope.views.base import View
from tests import architectures, tiny
from tests.settled import answers, asked, filled, read, settle
from tests.tiny import PROMPTS

VIEWS = [getattr(views, name) for name in views.__all__ if issubclass(getattr(views, name), View)]


def settled(experiment):
    """Run the same inputs again, and wait until the views of the newest run are shown."""
    experiment.update()
    trace = experiment.trace
    settle(experiment)
    return trace


def test_head_attribution_sends_the_traces_numbers_and_its_check(experiment):
    run, info, arrays = read(filled(rs.HeadAttribution(experiment))._data)
    trace = experiment.trace
    assert run == trace.number == 1
    np.testing.assert_array_equal(arrays["0.values"], trace.head_attribution().numpy())
    (shown,) = info["quantities"]
    assert (shown["dims"], shown["unit"]) == (["row", "layer", "head"], "logits")
    assert shown["checks"][1]["target"] == pytest.approx(float(trace.target_value[1]))
    assert shown["checks"][0]["ok"] is True


def test_a_long_run_is_told_on_one_line_that_leaves_nothing_behind(experiment, monkeypatch, capsys):
    published = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, *_, **_options: published.append(data))
    view, source, ready = rs.HeadAttribution(experiment), source_of(experiment), [False]
    wait = source.wait

    def long(told=None):
        if told and not ready[0]:
            ready[0] = True
            for done in (9, 10):
                experiment.status._jobs = [{"label": "layer", "done": done, "total": 10, "error": None}]
                told()
            experiment.status._jobs = []
        return wait()

    monkeypatch.setattr(source, "wait", long)
    monkeypatch.setattr(source, "now", lambda: None)
    view._ipython_display_()
    said = capsys.readouterr().out
    shown, (*told, last) = "", said.removesuffix("\n").split("\r")[1:]
    for words in (*told, last):
        shown = words + shown[len(words) :]
    assert told == ["residscope: running, layer 9 of 10 ...", "residscope: running, layer 10 of 10 ..."]
    assert shown.rstrip() == "residscope: run finished."
    assert said.endswith("\n")


def test_layer_attribution_sends_every_part_by_name_and_the_parts_sum_to_the_target(experiment):
    view = filled(rs.LayerAttribution(experiment))
    run, info, arrays = read(view._data)
    trace = experiment.trace
    assert run == trace.number == 1
    (shown,) = info["quantities"]
    labels, values = shown["coords"]["component"], arrays["0.values"]
    assert labels == trace.component_attribution().labels
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.sum(1), trace.target_value.numpy(), atol=1e-4)
    heads = trace.head_attribution().sum(-1).numpy()
    for layer in range(tiny.LAYERS):
        attention = values[:, labels.index(f"L{layer}.attn")]
        np.testing.assert_allclose(attention, heads[:, layer], atol=1e-5)
    assert [check["target"] for check in shown["checks"]] == pytest.approx(trace.target_value.tolist())
    assert shown["unit"] == "logits"
    for row, of_row in ((None, values.mean(0)), (1, values[1])):
        experiment.selection.update(row=row)
        layer, part = labels[int(of_row.argmax())].removeprefix("L").split(".")
        noun = {"mlp": "MLP", "attn": "attention"}[part]
        assert view._summary(trace).startswith(
            f"Layer {layer}'s {noun} adds {written(float(of_row.max()), sign=True)} of the "
        )


@pytest.mark.parametrize("kind", [rs.HeadAttribution, rs.LayerAttribution], ids=lambda kind: kind.__name__)
def test_a_failed_layer_check_fails_the_check_that_is_shown(experiment, monkeypatch, kind):
    bad = LayerCheck(layer=2, error=0.5, tolerance=1e-6)
    monkeypatch.setattr(experiment.trace, "layer_check", lambda: [bad, LayerCheck(0, 0.0, 1e-6)])
    _, info, _ = read(filled(kind(experiment))._data)
    checks = info["quantities"][0]["checks"]
    assert [check["ok"] for check in checks] == [False, True]
    assert checks[0]["reason"].startswith("the parts of layer 2 differ from what it adds by 0.5")


def test_attention_patterns_travel_ahead_as_half_precision_triangles(experiment):
    _, info, arrays = read(filled(rs.AttentionPattern(experiment))._data)
    assert info == {"ahead": True, "causal": True, "windows": [None] * tiny.LAYERS}
    for row, length in enumerate(experiment.trace.lengths):
        query, key = np.tril_indices(length)
        for layer in range(tiny.LAYERS):
            expected = experiment.trace.attention(layer)[row].numpy()[:, query, key]
            assert arrays[f"row.{row}"].dtype == np.float16
            np.testing.assert_allclose(arrays[f"row.{row}"][layer], expected, atol=5e-4)


def test_local_layers_are_named_with_the_reach_of_their_windows():
    experiment = rs.Experiment(architectures.build("Gemma-2"), PROMPTS, (" Mary", " John"))
    local = {"size": 4, "chunked": False}
    assert read(filled(rs.AttentionPattern(experiment))._data)[1]["windows"] == [local, None, local]
    experiment.close()


def test_the_browser_hides_the_first_token(experiment):
    view = rs.AttentionPattern(experiment)
    view.set_state({"hide_first": "yes"})
    assert view.hide_first is False
    view.set_state({"hide_first": True})
    assert view.hide_first is True


def test_large_patterns_are_sent_for_the_selected_and_pinned_heads_only(experiment, monkeypatch):
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 10)
    experiment.update()
    experiment.selection.update(row=1, head="1.2", pinned=["L0H3", "L2.mlp"])
    view = filled(rs.AttentionPattern(experiment))
    assert read(view._data)[1]["ahead"] is False
    assert read(view._data)[2] == {}
    found = answers(view)
    assert read(view._answer)[0] == experiment.trace.number
    assert list(found) == ["pattern/1/L1H2/attention", "pattern/1/L0H3/attention"]
    found |= asked(view, "pattern/0/L2H0/attention")
    for row, layer, head in ((1, 1, 2), (1, 0, 3), (0, 2, 0)):
        query, key = np.tril_indices(experiment.trace.lengths[row])
        expected = experiment.trace.attention(layer, head)[row].numpy()[query, key]
        said, arrays = found[f"pattern/{row}/L{layer}H{head}/attention"]
        assert said == {}
        np.testing.assert_allclose(arrays["weights"], expected, atol=5e-4)


def test_the_logit_lens_sends_its_cells_the_target_and_their_texts(experiment):
    _, info, arrays = read(filled(rs.LogitLens(experiment))._data)
    trace = experiment.trace
    lens = trace.logit_lens(10)
    assert info["starts"] == [0, 0]
    for row, length in enumerate(trace.lengths):
        np.testing.assert_array_equal(arrays[f"top_ids.{row}"], lens.top_ids[row, :, :length].numpy())
        np.testing.assert_allclose(arrays[f"top_probs.{row}"], lens.top_probs[row, :, :length].numpy(), atol=5e-4)
        assert all(str(token) in info["texts"] for token in np.unique(arrays[f"top_ids.{row}"]))
    np.testing.assert_array_equal(arrays["target_rank"], lens.target_rank.numpy())
    np.testing.assert_array_equal(arrays["target_value"], lens.target_value.numpy())
    np.testing.assert_array_equal(arrays["curve"], trace.target_curve().numpy())
    assert all(check["ok"] for check in info["check"])


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_every_view_follows_every_run(experiment, kind):
    view = kind(experiment)
    trace = settled(experiment)
    assert read(view._data)[0] == trace.number == experiment.status.run


def test_an_older_run_never_replaces_a_newer_one_and_a_closed_view_takes_none(experiment):
    view = rs.HeadAttribution(experiment)
    first = experiment.trace
    second = settled(experiment)
    list(view._follow(Runs(first.number, first, first), Ticket(0, "show", None, Priority.FIRST, print, {})))
    assert read(view._data)[0] == second.number
    view.close()
    data = view._data
    settled(experiment)
    assert view._data == data


def test_a_view_that_fails_takes_neither_the_others_nor_on_run_down(experiment, monkeypatch):
    broken, fine = rs.HeadAttribution(experiment), rs.LogitLens(experiment)

    def fail(*_):
        raise ValueError("no picture today")

    settle(experiment)
    monkeypatch.setattr(broken, "_payload", fail)
    trace = settled(experiment)
    assert read(fine._data)[0] == trace.number
    assert experiment.status._error is None, "the others are as they should be"
    assert [(job["of"], job["error"]) for job in experiment.status._jobs] == [(broken._still, "no picture today")]


def test_a_view_follows_a_selection_of_another_experiment_and_both_runs_count(experiment, model):
    other = rs.Experiment(model, "Tom met", (" Mary", " John"))
    view = rs.HeadAttribution(experiment, selection=other.selection)
    other.selection.update(position=14)
    other.update()
    assert other.trace.number == 2
    assert other.selection.position == 14, "it exists in the run that the view shows"
    other.close()
    assert view.selection is other.selection


def test_a_selection_outlives_an_experiment_that_followed_it(experiment, model, monkeypatch):
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 0)
    other = rs.Experiment(model, PROMPTS)
    rs.AttentionPattern(other, selection=experiment.selection)
    other.close()
    experiment.selection.update(head=(1, 1))
    assert experiment.selection.head == (1, 1)


def test_a_row_outside_the_run_is_said(experiment):
    larger = rs.HeadAttribution.from_arrays(np.ones((6, 10, 10)), selection=experiment.selection)
    view = filled(rs.AttentionPattern(experiment))
    experiment.selection.update(head=(1, 1), row=5)
    assert "not in this run" in view._repr_mimebundle_()[0]["text/plain"]
    with pytest.raises(IndexError, match="there is no prompt 5: this run has prompts 0 to 1"):
        view.to_frame()
    larger.close()


@pytest.mark.parametrize(
    ("trait", "value"),
    [
        ("_edit", {"id": 1, "answers": [["\ud800", "b"]]}),
        ("_edit", {"id": 1, "prompts": ["x" * 1_000_001]}),
        ("_edit", 5),
        ("_mirror", "abc"),
        ("_mirror", {"selection": 5, "status": "x"}),
        ("_link", 3),
    ],
    ids=str,
)
def test_a_hostile_message_raises_nothing_and_changes_nothing(experiment, trait, value):
    strip = rs.TokenStrip(experiment)
    strip.set_state({trait: value})
    strip.set_state({"nonsense": value})
    assert experiment.trace.number == 1
    assert experiment.selection.position is None
    json.dumps(strip.get_state(["_edit", "_link"]), ensure_ascii=False).encode()


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_every_view_has_a_text_and_a_table(experiment, kind):
    view = kind(experiment)
    experiment.selection.update(head="1.2")
    data, _ = view._repr_mimebundle_()
    assert data["text/plain"].startswith(f"{kind.__name__}, run 1: ")
    assert "application/vnd.jupyter.widget-view+json" in data
    assert len(view.to_frame()) > 0


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_after_the_widget_comes_its_still_picture(experiment, kind, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, *_, **_options: shown.append(data))
    experiment.selection.update(head="1.2")
    view = filled(kind(experiment))
    view._ipython_display_()
    widget, still = shown
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert not {"text/html", "image/png"} & widget.keys()
    assert f'data-still="{view._still}"' in still["text/html"]
    assert base64.b64decode(still["image/png"]).startswith(b"\x89PNG")
    assert still["text/plain"][-1] in ".?"


def test_the_tables_hold_the_traces_numbers(experiment):
    trace = experiment.trace
    heads = rs.HeadAttribution(experiment).to_frame().set_index(["row", "head"])
    assert heads.loc[(1, "L2H3"), "direct_effect"] == pytest.approx(float(trace.head_attribution()[1, 2, 3]))
    parts = rs.LayerAttribution(experiment).to_frame().set_index(["row", "component"])
    assert parts.loc[1].direct_effect.sum() == pytest.approx(float(trace.target_value[1]), abs=1e-4)
    attention = float(trace.head_attribution()[1, 2].sum())
    assert parts.loc[(1, "L2.attn"), "direct_effect"] == pytest.approx(attention, abs=1e-5)
    experiment.selection.update(row=1, head="2.1")
    weights = rs.AttentionPattern(experiment).to_frame().set_index(["query", "key"])
    assert weights.loc[(3, 1), "weight"] == pytest.approx(float(trace.attention(2, 1)[1, 3, 1]))
    lens = rs.LogitLens(experiment).to_frame().set_index(["row", "depth", "position", "place"])
    top = trace.logit_lens().top_ids[0, 2, 5, 0]
    assert lens.loc[(0, "0.post", 5, 0), "token_id"] == int(top)
    tokens = rs.TokenStrip(experiment).to_frame()
    assert "".join(tokens[tokens.row == 1].token[1:]) == PROMPTS[1]


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_a_misspelt_keyword_or_a_wrong_experiment_is_refused(experiment, model, kind):
    with pytest.raises(TypeError, match=f"{kind.__name__} has no haed; it has .*selection.*status"):
        kind(experiment, haed=3)
    with pytest.raises(TypeError, match=f"{kind.__name__} takes an Experiment, not TransformerBridge: rs.Experiment"):
        kind(model)


def test_the_strip_sends_the_inputs_as_they_can_be_edited(model):
    prompt = "Tom\u202e met Anna"
    with_answer = read(filled(rs.TokenStrip(rs.Experiment(model, prompt, " Tom")))._data)[1]["inputs"]
    assert with_answer == {
        "prompts": [prompt],
        "answers": [[" Tom", None]],
        "prefills": None,
        "own": False,
        "corrupted": None,
    }
    experiment = rs.Experiment(model, prompt)
    assert read(filled(rs.TokenStrip(experiment))._data)[1]["inputs"]["own"] is True
    by_hand = rs.Experiment(model, prompt, target=experiment.target)
    assert read(filled(rs.TokenStrip(by_hand))._data)[1]["inputs"]["own"] is False


def test_an_edit_in_the_strip_runs_and_a_bad_one_comes_back_with_its_sentence(experiment):
    strip = rs.TokenStrip(experiment)
    strip.set_state({"_edit": {"id": 1, "prompts": [PROMPTS[1]], "answers": [[" Tom", " Anna"]]}})
    assert experiment.trace.target.names == ["' Tom' − ' Anna'"]
    assert strip._refused is None
    for number, (edit, field, sentence) in enumerate(
        [
            ({"answers": [[" Mary", " Mary"]]}, "answers", "the right and the wrong answer are the same"),
            ({"prompts": [""]}, "prompts", "an empty text"),
            ({"prompts": "no list"}, "prompts", "a list of texts"),
            ({"answers": [" Mary"]}, "answers", "one pair of texts per prompt"),
            ({}, "prompts", "an edit changes prompts, answers or prefills"),
        ],
        start=2,
    ):
        strip.set_state({"_edit": {"id": number, **edit}})
        assert (strip._refused["id"], strip._refused["field"]) == (number, field)
        assert sentence in strip._refused["message"]
    assert experiment.trace.target.names == ["' Tom' − ' Anna'"]
    strip.set_state({"_edit": {"id": 9, "answers": [[" Tom", None]]}})
    assert strip._refused is None
    assert experiment.trace.target.unit == "nats"
    strip.set_state({"_edit": {"id": 10, "answers": None}})
    assert experiment.trace.inputs.answers is None


def test_the_browser_writes_only_what_a_view_declares(experiment):
    view = filled(rs.HeadAttribution(experiment))
    data, esm = view._data, view._esm
    view.set_state({"_data": b"", "_esm": "evil()", "selection": None, "_css": "x"})
    assert (view._data, view._esm, view.selection) == (data, esm, experiment.selection)


def test_a_host_that_cannot_share_models_gets_their_mirror(experiment):
    view = filled(rs.HeadAttribution(experiment))
    view.set_state({"_link": "mirror"})
    assert view._mirror["status"]["run"] == 1
    view.set_state({"_mirror": {"selection": {"head": [1, 2], "position": -5}, "status": {}}})
    assert experiment.selection.head == (1, 2)
    assert experiment.selection.position is None
    assert view._mirror["selection"]["head"] == (1, 2), "what was refused is answered with the true value"
    experiment.selection.update(head="0.3")
    assert view._mirror["selection"]["head"] == (0, 3)


def test_views_can_share_another_selection(experiment):
    other = rs.Selection()
    view = rs.HeadAttribution(experiment, selection=other)
    assert view.selection is other


def test_boxes_hold_views_by_reference_and_refuse_what_is_none(experiment):
    heads, pattern = rs.HeadAttribution(experiment), rs.AttentionPattern(experiment)
    row = rs.Row([heads, rs.Column([pattern])])
    assert row.get_state("children")["children"][0] == f"anywidget:{heads.model_id}"
    text = row._repr_mimebundle_()[0]["text/plain"]
    assert "HeadAttribution, run 1" in text
    assert "AttentionPattern, run 1" in text
    with pytest.raises(TypeError, match="Row holds residscope's views and other anywidgets, not int"):
        rs.Row([heads, 3])
    with pytest.raises(TypeError, match=r"Row takes a list of views: Row\(\[heads, pattern\]\)"):
        rs.Row(heads)
    for refused in (lambda: rs.Row(heads, pattern), lambda: rs.Row(experiment), lambda: rs.Row(None)):
        with pytest.raises(TypeError, match=r"Row takes a list of views: Row\(\[heads, pattern\]\)"):
            refused()
    row.close()
    assert heads.comm is None


def test_the_workbench_shows_everything_and_selects_the_strongest_head(experiment):
    bench = rs.Workbench(experiment)
    settle(experiment)
    assert [type(view).__name__ for view in bench.children] == [
        "TokenStrip",
        "HeadAttribution",
        "AttentionPattern",
        "HeadReadout",
        "LogitLens",
        "LayerAttribution",
        "HeadGrid",
    ]
    mean = experiment.trace.head_attribution().mean(0).abs()
    assert mean[experiment.selection.head] == mean.max()


def test_a_head_that_is_nan_everywhere_is_never_the_strongest(experiment, monkeypatch):
    values = torch.full((2, tiny.LAYERS, tiny.HEADS), torch.nan)
    values[:, 1, 2] = -3.0
    monkeypatch.setattr(experiment.trace, "head_attribution", lambda: values)
    experiment.selection.update(head=None)
    bench = rs.Workbench(experiment)
    settle(experiment)
    assert experiment.selection.head == (1, 2)
    bench.close()


def test_circuitsvis_draws_the_selected_and_pinned_heads_offline(experiment):
    view = rs.AttentionPattern(experiment)
    with pytest.raises(ValueError, match="no selected or pinned head is in this run"):
        view.to_circuitsvis()
    larger = rs.HeadAttribution.from_arrays(np.ones((10, 10)), selection=experiment.selection)
    experiment.selection.update(head="1.2", pinned=["L0H3", "L9H9"])
    drawn = view.to_circuitsvis().data
    assert "https://unpkg.com" not in drawn
    props = drawn[drawn.rindex("CircuitsVis.AttentionHeads") :]
    assert '"L1H2", "L0H3"' in props
    weight = float(experiment.trace.attention(1, 2)[0, 3, 1])
    assert f"{weight:.6f}"[:7] in props
    larger.close()


def test_a_token_that_would_end_the_script_is_kept_from_it():
    tokens = ["a", "</script><script>alert(1)</script>"]
    view = rs.AttentionPattern.from_arrays(np.tril(np.ones((2, 2))), tokens)
    drawn = view.to_circuitsvis().data
    assert drawn.count("</script>") == 1, "its own"
    view.close()
