"""A number with names: its axes, its mean over prompts, its change, its tables, and what is refused."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
import torch

from residscope.errors import InputError
from residscope.quantity import AXES, Quantity, SumCheck

VALUES = np.arange(12, dtype=np.float32).reshape(2, 2, 3)


def heads(**changes):
    given = {"name": "effect", "values": VALUES, "dims": ("row", "layer", "head"), "unit": "logits"}
    return Quantity(**{**given, **changes})


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, np.ndarray.tolist], ids=["array", "tensor", "list"])
def test_arrays_tensors_and_lists_become_float32_that_nobody_can_change(kind):
    given = kind(VALUES)
    quantity = heads(values=given)
    assert quantity.values.dtype == np.float32
    np.testing.assert_array_equal(quantity.values, VALUES)
    with pytest.raises(ValueError, match="read-only"):
        quantity.values[0, 0, 0] = 7
    np.asarray(given)[0, 0, 0] = 0  # the caller's own stays writable, and is another


def test_a_gradient_and_half_precision_are_no_hindrance():
    given = torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)
    assert Quantity("a", given, "layer head").values.tolist() == [[1, 1], [1, 1]]


def test_axes_may_be_written_as_one_text():
    assert heads(dims="row layer head").dims == ("row", "layer", "head")


def test_the_mean_is_over_the_prompts_that_have_a_number():
    values = VALUES.copy()
    values[0, 0, 0] = np.nan
    values[:, 1, 1] = np.nan
    mean = heads(values=values, reference=2 * values).over_rows(None)
    assert mean.dims == ("layer", "head")
    expected = np.array([[6, 4, 5], [6, np.nan, 8]], np.float32)
    np.testing.assert_array_equal(mean.values, expected)
    np.testing.assert_array_equal(mean.reference, 2 * expected)


def test_one_prompt_is_taken_with_all_that_belongs_to_it():
    checks = [SumCheck(1.0, 1.0, True), SumCheck(2.0, 3.0, False, "off by 1")]
    quantity = heads(checks=checks, labels=VALUES.astype(int).astype(str), reference=-VALUES)
    own = quantity.over_rows(1)
    np.testing.assert_array_equal(own.values, VALUES[1])
    np.testing.assert_array_equal(own.reference, -VALUES[1])
    assert own.labels.tolist() == [["6", "7", "8"], ["9", "10", "11"]]
    assert [check.difference for check in own.checks] == [-1.0]
    assert own.over_rows(5) is own, "without rows it is all prompts' own"


def test_a_single_prompt_is_its_own_mean():
    quantity = Quantity("norm", np.ones((1, 2, 3)), "row layer pos", lengths=[3])
    np.testing.assert_array_equal(quantity.over_rows(None).values, np.ones((2, 3)))
    assert quantity.over_rows(None).lengths == (3,)


def test_numbers_along_tokens_have_no_mean_over_prompts():
    quantity = Quantity("norm", np.ones((2, 2, 3)), "row layer pos")
    with pytest.raises(InputError, match="prompts do not share their tokens, so norm has no mean: choose a row"):
        quantity.over_rows(None)
    assert quantity.over_rows(1).dims == ("layer", "pos")


def test_the_change_is_the_value_less_the_reference_about_zero():
    change = heads(reference=VALUES[::-1], scale="sequential", high=20.0).change()
    np.testing.assert_array_equal(change.values, VALUES - VALUES[::-1])
    assert (change.scale, change.limit, change.name, change.reference) == ("signed", 6.0, "change of effect", None)


def test_before_is_the_reference_on_the_scale_of_both():
    before = heads(reference=3 * VALUES).before()
    np.testing.assert_array_equal(before.values, 3 * VALUES)
    assert before.limit == heads(reference=3 * VALUES).limit == 33
    with pytest.raises(InputError, match="effect has no reference"):
        heads().before()
    with pytest.raises(InputError, match="effect has no reference, so there is no change to show"):
        heads().change()


def test_the_scale_ends_where_it_is_said_or_at_the_largest():
    assert heads().limit == 11
    assert heads(values=-VALUES).limit == 11
    assert heads(high=1.0).limit == 1
    assert heads(values=np.full_like(VALUES, np.nan)).limit == 0


def test_what_stands_beyond_a_prompts_tokens_is_no_cell():
    quantity = Quantity("norm", np.ones((2, 2, 3)), "row layer pos", lengths=[3, 1], reference=np.ones((2, 2, 3)))
    assert np.isnan(quantity.values).sum() == np.isnan(quantity.reference).sum() == 4
    assert quantity.frame().groupby("row").size().tolist() == [6, 2]
    pattern = Quantity("attention", np.ones((3, 3)), "query key", lengths=[2])
    assert np.isfinite(pattern.values).sum() == 4


def test_the_same_numbers_are_described_anew_without_a_copy():
    norms = Quantity("norm", np.ones((2, 2, 3)), "row layer pos")
    other = norms.described(name="size", unit="nats", lengths=(3, 3))
    assert other.values is norms.values
    assert (other.name, other.unit, other.lengths, norms.name, norms.lengths) == ("size", "nats", (3, 3), "norm", None)
    assert np.isnan(norms.described(lengths=(3, 1)).values).sum() == 4
    assert np.isfinite(norms.values).all()
    with pytest.raises(InputError, match="1 lengths for 2 rows"):
        norms.described(lengths=(3,))
    with pytest.raises(InputError, match="which is not one of the axes"):
        norms.described(coords={"component": ("a",)})


def test_a_table_has_a_column_an_axis_and_heads_by_their_names():
    frame = heads(reference=-VALUES).frame("direct_effect")
    assert list(frame) == ["row", "layer", "head", "direct_effect", "before", "change", "unit"]
    assert frame.loc[7].tolist() == [1, 0, "L0H1", 7.0, -7.0, 14.0, "logits"]
    named = Quantity("effect", [1.0, 2.0], "component", coords={"component": ["embed", "L0.attn"]}, labels=["a", "b"])
    expected = pd.DataFrame({"component": ["embed", "L0.attn"], "label": ["a", "b"], "value": [1.0, 2.0], "unit": ""})
    pd.testing.assert_frame_equal(named.frame(), expected, check_dtype=False)


def test_a_number_without_axes_is_a_table_of_one_line():
    assert Quantity("perplexity", 3.0, ()).frame()["value"].tolist() == [3.0]


def test_names_along_an_axis_are_its_labels_or_its_numbers():
    curve = Quantity("norm", [1.0, 2.0], "depth", coords={"depth": ["embed", "output"]})
    assert (curve.names("depth"), heads().names("head")) == (("embed", "output"), ("0", "1", "2"))
    assert heads().size("pos") == 0


def test_xarray_is_filled_where_it_is_there_and_asked_for_where_it_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match="to_xarray needs xarray, which is not installed: pip install xarray"):
        heads().to_xarray()
    made = {}

    def dataset(arrays, coords, attrs):
        made.update(arrays=arrays, coords=coords, attrs=attrs)

    monkeypatch.setitem(sys.modules, "xarray", types.SimpleNamespace(Dataset=dataset))
    heads(reference=-VALUES, coords={"head": ["a", "b", "c"]}).to_xarray()
    dims, values = made["arrays"]["value"]
    assert dims == ("row", "layer", "head")
    np.testing.assert_array_equal(values, VALUES)
    np.testing.assert_array_equal(made["arrays"]["reference"][1], -VALUES)
    assert (made["coords"], made["attrs"]) == ({"head": ["a", "b", "c"]}, {"name": "effect", "unit": "logits"})


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"dims": "row layer neuron"}, "dims", f"there is no axis 'neuron': the axes are {', '.join(AXES)}"),
        ({"dims": "row layer layer"}, "dims", r"\[row layer layer\] names an axis twice"),
        ({"dims": "head layer row"}, "dims", r"axes come in the order \[row layer head\], not \[head layer row\]"),
        ({"dims": "layer head"}, "dims", r"values of the shape \[2, 2, 3\] need 3 axes, not \[layer head\]"),
        ({"scale": "loud"}, "scale", 'scale is "signed" or "sequential", not \'loud\''),
        ({"high": -1.0}, "high", "high is a number above 0, not -1.0"),
        ({"coords": {"pos": ["a"]}}, "coords", r"coords name 'pos', which is not one of the axes \[row layer head\]"),
        ({"coords": {"head": ["a"]}}, "coords", "coords have 1 labels for 3 along head: give one for each"),
        ({"dims": "row layer component"}, "coords", "the component axis needs names"),
        ({"reference": VALUES[0]}, "reference", r"reference needs the values' shape \[2, 2, 3\], not \[2, 3\]"),
        ({"labels": ["a"]}, "labels", r"labels needs the values' shape"),
        ({"checks": [SumCheck(1, 1, True)]}, "checks", "1 checks for 2 rows: give one for each"),
        ({"lengths": [3, 3]}, "lengths", "lengths go up to 3 on an axis of 0 tokens"),
        ({"dims": "row layer pos", "lengths": [3]}, "lengths", "1 lengths for 2 rows: give one for each"),
        ({"dims": "row layer pos", "lengths": [3, 9]}, "lengths", "lengths go up to 9 on an axis of 3 tokens"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(changes, field, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        heads(**changes)
    assert refused.value.field == field


@pytest.mark.parametrize("row", [2, -1, True, "first"])
def test_a_row_that_does_not_exist_is_refused(row):
    with pytest.raises(InputError, match="is not among the 2 rows of effect"):
        heads().over_rows(row)


@pytest.mark.parametrize(
    ("values", "error"), [("numbers", TypeError), ([[1], [1, 2]], TypeError), ([np.inf], ValueError)]
)
def test_values_that_are_no_numbers_are_refused(values, error):
    with pytest.raises(error, match=r"values (are numbers|hold infinity)"):
        Quantity("effect", values, "head")
