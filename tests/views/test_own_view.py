"""A class of a few lines is a view: payload, table, sentence, picture, mean and menus come from its quantities."""

import numpy as np
import pytest
import torch
import traitlets

import residscope as rs
from residscope.errors import InputError, NoModelError
from residscope.export.figure import Curve, Heading, Map, Table
from residscope.export.words import number
from residscope.header import text_of
from tests import tiny
from tests.settled import filled, read, settle

TOKENS = ["<s>", " the", " cat"]


class Sizes(rs.View):
    """Sizes of what is in the stream."""

    title = "Sizes"
    of = traitlets.Enum(("effect", "induction"), "effect").tag(sync=True, label="size of")

    def quantities(self, trace):
        numbers = trace.head_attribution().abs() if self.of == "effect" else trace.head_scores(self.of)
        yield rs.Quantity(self.of, numbers, "row layer head", scale="sequential")
        yield rs.Quantity("target so far", trace.lens_target().value, "row depth", trace.target.unit)
        looked_at = [trace.attention(layer).nan_to_num().sum((1, 2)) for layer in range(trace.n_layers)]
        yield rs.Quantity("attention received", torch.stack(looked_at, 1), "row layer pos", scale="sequential")


def test_its_quantities_are_sent_with_their_axes(experiment):
    run, info, arrays = read(filled(Sizes(experiment))._data)
    shown = info["quantities"]
    trace = experiment.trace
    assert run == trace.number
    assert [one["name"] for one in shown] == ["effect", "target so far", "attention received"]
    assert [one["dims"][1:] for one in shown] == [["layer", "head"], ["depth"], ["layer", "pos"]]
    np.testing.assert_array_equal(arrays["0.values"], trace.head_attribution().abs().numpy())
    np.testing.assert_allclose(arrays["1.values"][:, -1], trace.target_value.numpy(), atol=1e-4)
    assert shown[2]["lengths"] == list(trace.lengths)
    for row, length in enumerate(trace.lengths):
        assert np.isnan(arrays["2.values"][row, :, length:]).all(), "padding is no cell"
        expected = sum(trace.attention(1)[row, :, query, :length].sum(0) for query in range(length))
        np.testing.assert_allclose(arrays["2.values"][row, 1, :length], expected.numpy(), atol=1e-4)


def test_it_follows_each_run(experiment):
    view = filled(Sizes(experiment))
    experiment.update(prompts="Tom met Anna")
    filled(view)
    run, _, arrays = read(view._data)
    assert run == 2
    np.testing.assert_array_equal(arrays["0.values"], experiment.trace.head_attribution().abs().numpy())


def test_its_line_and_its_picture_say_what_is_selected(experiment):
    experiment.selection.update(head="1.2", depth=3, position=4, row=1)
    view, trace = Sizes(experiment), experiment.trace
    effect = float(trace.head_attribution()[1, 1, 2].abs())
    assert view._line().startswith(f"Sizes, run 1: L1H2 has an effect of {number(effect)}; the highest is ")
    assert f"1.mid: {'+' if trace.lens_target().value[1, 3] > 0 else '−'}" in view._line()
    figure = view._figure(trace)
    assert [type(block) for block in figure.blocks] == [Heading, Map, Table, Heading, Curve, Heading, Map]
    heads, stream = (block for block in figure.blocks if isinstance(block, Map))
    np.testing.assert_array_equal(heads.values, trace.head_attribution()[1].abs().numpy())
    assert (heads.ringed, stream.ringed) == ((1, 2), (1, 4))
    assert len(stream.cols) == trace.lengths[1]
    assert "prompt 1 of 2" in figure.facts
    assert view.to_png().startswith(b"\x89PNG")
    assert [type(trace).__name__ for trace in view.to_plotly().data] == ["Heatmap", "Scatter", "Heatmap"]


def test_without_a_prompt_chosen_means_are_shown_and_of_tokens_the_first(experiment):
    trace = experiment.trace
    heads, curve, stream = (b for b in Sizes(experiment)._figure(trace).blocks if isinstance(b, Map | Curve))
    np.testing.assert_allclose(heads.values, trace.head_attribution().abs().mean(0).numpy(), rtol=1e-6)
    np.testing.assert_allclose(curve.values, trace.lens_target().value.mean(0).numpy(), rtol=1e-5)
    assert stream.values.shape == (tiny.LAYERS, trace.lengths[0])
    assert "mean of 2 prompts · prompt 0 of 2" in Sizes(experiment)._figure(trace).facts


def test_its_table_has_every_quantity(experiment):
    frame = Sizes(experiment).to_frame()
    assert frame["quantity"].unique().tolist() == ["effect", "target so far", "attention received"]
    curve = frame[frame["quantity"] == "target so far"]
    np.testing.assert_allclose(curve["value"], experiment.trace.lens_target().value.reshape(-1).numpy(), rtol=1e-6)
    assert set(curve["unit"]) == {"logits"}


@pytest.mark.parametrize("written", ["One.", ["One."], ("One.",)])
def test_its_help_is_one_paragraph_or_several(experiment, written):
    class Helped(Sizes):
        help = written

    assert Helped(experiment)._about["help"] == ["One."]


def test_a_labelled_trait_is_a_menu_for_the_browser_too(experiment):
    view = filled(Sizes(experiment))
    (menu,) = view._about["menus"]
    assert menu == {"trait": "of", "label": "size of", "options": ["effect", "induction"], "unless": None}
    view.set_state({"of": "induction"})
    settle(experiment)
    np.testing.assert_array_equal(read(view._data)[2]["0.values"], experiment.trace.head_scores("induction").numpy())
    view.set_state({"of": "anything"})
    assert view.of == "induction"


def test_the_change_is_shown_where_there_is_a_reference(experiment):
    class Changed(rs.View):
        def quantities(self, trace):
            effects = trace.head_attribution()
            yield rs.Quantity("effect", effects, "row layer head", "logits", reference=2 * effects)

    view = Changed(experiment)
    experiment.selection.update(show="change", row=0)
    (drawn, *_) = view._figure(experiment.trace).blocks
    np.testing.assert_allclose(drawn.values, -experiment.trace.head_attribution()[0].numpy(), rtol=1e-6)
    assert view._line().startswith("Changed, run 1: The largest change is ")
    experiment.selection.update(show="before")
    (drawn, *_) = view._figure(experiment.trace).blocks
    np.testing.assert_allclose(drawn.values, 2 * experiment.trace.head_attribution()[0].numpy(), rtol=1e-6)
    assert view._line().startswith("Changed, run 1: In the untouched run: The largest is ")


def test_ids_are_shown_as_their_tokens(experiment):
    class Likely(rs.View):
        def quantities(self, trace):
            top = trace.logits.softmax(-1).topk(3)
            yield rs.Quantity("probability", top.values, "row k", labels=top.indices, scale="sequential", high=1.0)

    view, trace = filled(Likely(experiment)), experiment.trace
    _, info, arrays = read(view._data)
    (shown,) = info["quantities"]
    ids = trace.logits.topk(3).indices
    np.testing.assert_array_equal(arrays["0.labels"], ids.numpy())
    assert shown["texts"][str(int(ids[0, 0]))] == text_of(trace, int(ids[0, 0]))
    experiment.selection.update(row=0)
    (table,) = view._figure(trace).blocks
    assert [name for name, _ in table.rows] == [text_of(trace, int(one)) for one in ids[0]]


def test_numbers_without_a_model_are_a_view_too():
    norms = rs.Quantity("norm", [[1.0, 2.0, 3.0], [4.0, 5.0, np.nan]], "layer pos")
    view = rs.View.from_quantities([norms], TOKENS, title="Norms")
    assert view._line() == "View: The largest is +5.00 at L1, ·the (1)."
    assert view._about["title"] == "Norms"
    header = view.status._header
    assert header["model"] is None
    assert [header["texts"][str(one)] for one in header["rows"][0]["ids"]] == TOKENS
    view.selection.update(position=2)
    assert view._figure(view.trace).blocks[0].ringed == (None, 2)
    models = [view, view.selection, view.status]
    view.close()
    assert [model.comm for model in models] == [None] * 3


def test_a_menu_of_numbers_without_a_model_is_refused():
    view = Sizes.from_quantities([rs.Quantity("norm", np.ones((2, 3)), "layer head")])
    with pytest.raises(NoModelError, match="this view shows arrays: there is no model to compute 'induction' with"):
        view.of = "induction"
    view.close()


def given(*quantities, tokens=()):
    return lambda _experiment: rs.View.from_quantities(quantities, tokens)


def of_class(*yielded):
    class Own(rs.View):
        def quantities(self, trace):
            assert trace.number
            yield from yielded

    return Own


NORMS = rs.Quantity("norm", np.ones((2, 3)), "layer pos")
ROWS = rs.Quantity("norm", np.ones((3, 2)), "row layer")


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (rs.View, NotImplementedError, r"View needs a method quantities\(trace\) that yields rs.Quantity"),
        (of_class(np.ones(3)), TypeError, "Own.quantities yields rs.Quantity, not ndarray"),
        (of_class(), InputError, "Own.quantities yielded nothing to show"),
        (of_class(rs.Quantity("all", np.ones((1, 1, 1)), "layer head pos")), InputError, "a view draws 2 axes beside"),
        (of_class(ROWS), InputError, "norm has 3 rows, and the run has 2"),
        (given(), InputError, "View.quantities yielded nothing to show"),
        (given(NORMS, tokens=["a"]), InputError, "norm has numbers for 3 tokens, and tokens has 1 token"),
        (given(ROWS, rs.Quantity("b", np.ones((2, 1)), "row layer")), InputError, "tokens have 2 and 3 rows"),
        (given(NORMS, tokens="cat"), TypeError, "tokens is a list of texts"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(experiment, make, error, sentence):
    with pytest.raises(error, match=sentence):
        make(experiment).to_frame()
