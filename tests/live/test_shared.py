"""The shared selection: what it takes, what it refuses, what it forgets."""

from types import NoneType

import anywidget
import numpy as np
import pytest
import torch
import traitlets

from residscope import InputError, Selection
from residscope.live.shared import Extent, Status, attach_owner, settle

RUN = Extent(lengths=(15, 9), n_depths=9, n_layers=4, n_heads=8)


class Owner:
    expected = None


HEADS = [(2, 5), [2, 5], "2.5", "L2H5", "l2h5", np.unravel_index(21, (4, 8)), tuple(torch.tensor([2, 5]))]


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_head_can_be_written_in_several_ways(head):
    selection = Selection()
    selection.update(head=head)
    assert selection.head == (2, 5)


@pytest.mark.parametrize("head", ["2", "x.y", (1,), (1, 2, 3), (1.0, 2), (True, 2), (-1, 0), 3, np.zeros(2)])
def test_what_is_no_head_is_refused_with_the_ways_to_write_one(head):
    with pytest.raises(traitlets.TraitError, match=r'\(2, 5\), "2.5", "L2H5" or None'):
        Selection().update(head=head)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_head_is_pinned_however_it_is_written(head):
    selection = Selection(pinned=[head])
    assert selection.pinned == ["L2H5"]
    selection.update(pinned=["L0.attn", head])
    assert selection.pinned == ["L0.attn", "L2H5"]


@pytest.mark.parametrize("pin", [1, (1,), (1, -1), None, 2.5])
def test_what_is_no_component_is_not_pinned(pin):
    with pytest.raises(traitlets.TraitError, match=r'the name of a component: "L2.attn", "L2H5", or a head as "2.5"'):
        Selection().update(pinned=[pin])


@pytest.mark.parametrize("kind", [np.int64, torch.tensor])
def test_whole_numbers_of_numpy_and_torch_are_taken_as_pythons_own(kind):
    selection = Selection(row=kind(1))
    selection.update(position=kind(3), depth=kind(2), key=kind(0))
    assert [type(value) for value in selection.values.values()] == [int, NoneType, int, list, int, int, str]
    assert (selection.row, selection.position, selection.depth, selection.key) == (1, 3, 2, 0)
    with pytest.raises(traitlets.TraitError, match="a whole number from 0, or None"):
        selection.update(row=torch.tensor(True))


def test_a_cell_that_ends_in_a_selection_shows_what_is_selected():
    selection = Selection(head=(2, 5))
    assert selection._repr_mimebundle_() == ({"text/plain": repr(selection)}, {})


def test_nothing_changes_when_one_value_is_refused():
    selection = Selection()
    with pytest.raises(traitlets.TraitError):
        selection.update(head="1.1", position="here")
    assert selection.head is None
    with pytest.raises(TypeError, match="a selection has no layer; it has depth, head, key, pinned, position, row"):
        selection.update(layer=3)
    with pytest.raises(TypeError, match="Selection has no haed; it has depth"):
        Selection(haed=(1, 2))


def test_a_selection_says_what_is_selected():
    shown = repr(Selection(head=(2, 5), position=3))
    assert shown == "Selection(row=None, depth=0, head=(2, 5), position=3, key=None, pinned=[])"


def messages(widget, monkeypatch):
    sent = []
    monkeypatch.setattr(widget, "_send", lambda msg, **_: sent.append(msg))
    return sent


def test_one_gesture_is_one_message(monkeypatch):
    selection = Selection()
    sent = messages(selection, monkeypatch)
    selection.update(depth=2, position=3, head="1.1")
    assert len(sent) == 1
    assert sent[0]["state"] == {"depth": 2, "position": 3, "head": (1, 1)}


@pytest.mark.parametrize(
    "bad",
    [
        {"pinned": ["x" * 10**6] * 3},
        {"pinned": ["\ud800"]},
        {"head": "x"},
        {"depth": None},
        {"depth": 1.5},
        {"position": float("nan")},
        {"row": -1},
        {"pinned": [1]},
        {"key": True},
        {"show": "after"},
    ],
    ids=str,
)
def test_a_bad_message_from_the_browser_is_answered_with_the_true_value(bad, monkeypatch):
    selection = Selection(head=(1, 2), depth=3, position=4)
    before = selection.get_state(["head", "depth", "position", "row", "pinned", "key", "show"])
    sent = messages(selection, monkeypatch)
    selection.set_state(bad)
    assert selection.get_state(list(before)) == before
    (name,) = bad
    assert [message["state"][name] for message in sent if name in message["state"]] == [before[name]]


def test_the_browser_cannot_change_code_or_style():
    selection = Selection()
    before = selection._esm
    selection.set_state({"_esm": "evil()", "_css": "*{display:none}", "nonsense": 1, "depth": 2})
    assert (selection._esm, selection._css, selection.depth) == (before, "", 2)


def test_what_no_attached_run_holds_becomes_none_and_the_depth_the_output():
    selection, owner = Selection(), Owner()
    settle(selection, owner, RUN)
    assert selection.depth == 8, "a new selection looks at the output"
    selection.update(row=1, head="3.7", position=14, key=14, depth=5)
    settle(selection, owner, Extent(lengths=(10,), n_depths=5, n_layers=2, n_heads=8))
    assert (selection.row, selection.head, selection.position, selection.key) == (None, None, None, None)
    assert selection.depth == 4


def test_a_depth_asked_for_before_the_first_run_is_kept():
    asked, given = Selection(), Selection(depth=0)
    asked.update(depth=0)
    for selection in (asked, given):
        settle(selection, Owner(), RUN)
        assert selection.depth == 0


def test_a_selection_that_still_fits_is_kept():
    selection, owner = Selection(), Owner()
    settle(selection, owner, RUN)
    selection.update(head="1.2", position=3, depth=2)
    settle(selection, owner, RUN)
    assert (selection.head, selection.position, selection.depth) == ((1, 2), 3, 2)


def test_a_selection_another_attached_run_holds_is_kept():
    selection, large, small = Selection(), Owner(), Owner()
    settle(selection, large, RUN)
    selection.update(head="3.7")
    settle(selection, small, Extent(lengths=(10,), n_depths=5, n_layers=2, n_heads=8))
    assert selection.head == (3, 7)


SMALL = Extent(lengths=(10,), n_depths=5, n_layers=2, n_heads=12)
PARTS = Extent(lengths=(15,), n_depths=9, n_layers=4, n_heads=8, components=("embed", "L0.attn", "L0.mlp"))
OUTSIDE = [
    ({"head": "9.9"}, "no run shown has L9H9: layers go from 0 to 3, heads from 0 to 7"),
    ({"head": (0, 8)}, "no run shown has L0H8: layers go from 0 to 3, heads from 0 to 7"),
    ({"row": 1}, "no run shown has row 1: rows go from 0 to 0"),
    ({"depth": 9}, "no run shown has depth 9: depths go from 0 to 8"),
    ({"position": 15}, "no run shown has position 15: positions go from 0 to 14"),
    ({"key": 15}, "no run shown has key 15: positions go from 0 to 14"),
    ({"pinned": ["embed", "L0.mpl"]}, "no run shown has the component 'L0.mpl'; similar names are L0.mlp"),
    ({"pinned": ["L4H0"]}, "no run shown has the component 'L4H0'; similar names are L3H0"),
]


@pytest.fixture
def settled():
    owner, selection = Owner(), Selection()
    settle(selection, owner, PARTS)
    selection.update(head="3.7", depth=3, position=4, pinned=["embed", "L1H2"])
    yield selection
    del owner


@pytest.mark.parametrize(("change", "sentence"), OUTSIDE, ids=str)
def test_what_exists_in_no_attached_run_is_refused_with_what_does(settled, change, sentence):
    before = settled.values
    ((name, value),) = change.items()
    with pytest.raises(InputError, match=sentence):
        settled.update(**{"depth": 2, "position": 3, name: value})
    with pytest.raises(InputError, match=sentence):
        setattr(settled, name, value)
    assert settled.values == before


@pytest.mark.parametrize("change", [change for change, _ in OUTSIDE], ids=str)
def test_the_browser_is_told_the_true_value_where_it_selects_what_no_run_has(settled, change, monkeypatch):
    before, sent = settled.get_state(list(change)), messages(settled, monkeypatch)
    settled.set_state(change)
    assert settled.get_state(list(change)) == before
    assert [message["state"] for message in sent if message["method"] == "update"] == [before]


def test_a_selection_without_runs_takes_all_and_one_of_several_runs_what_any_of_them_has(settled):
    Selection().update(head="9.9", row=7, pinned=["L9.mlp"])
    other = Owner()
    settle(settled, other, SMALL)
    settled.update(head="1.11", position=14)
    with pytest.raises(InputError, match="heads from 0 to 7, or layers go from 0 to 1, heads from 0 to 11"):
        settled.update(head="3.11")


def test_arrays_without_depths_leave_the_slider_alone():
    owner, selection = Owner(), Selection()
    settle(selection, owner, Extent(lengths=(0,), n_depths=0, n_layers=2, n_heads=2))
    selection.update(depth=5)
    assert selection.depth == 5
    with pytest.raises(InputError, match="no run shown has position 0: there are no positions"):
        selection.update(position=0)


def test_a_run_under_way_counts(settled):
    owner = Owner()
    attach_owner(settled, owner)
    owner.expected = Extent(lengths=(20,), n_depths=9, n_layers=4, n_heads=8)
    settled.update(position=19)
    settle(settled, Owner(), SMALL)
    assert settled.position == 19
    owner.expected = None
    settle(settled, Owner(), SMALL)
    assert settled.position is None


def test_pins_that_no_attached_run_has_any_more_are_dropped():
    selection, owner = Selection(pinned=["L9.mlp", "L3H7", "embed"]), Owner()
    settle(selection, owner, PARTS)
    assert selection.pinned == ["L3H7", "embed"]
    settle(selection, owner, SMALL)
    assert selection.pinned == []


def test_a_copy_holds_what_exists_where_it_goes(settled):
    owner, other = Owner(), Selection()
    other.copy_from(settled)
    assert other.values == settled.values
    small = Selection()
    settle(small, owner, SMALL)
    small.copy_from(settled)
    assert (small.head, small.depth, small.position, small.pinned) == (None, 3, 4, ["L1H2"])


def test_a_new_status_tells_of_nothing_under_way():
    status = Status()
    assert (status._jobs, status._error, status._go) == ([], None, None)
    status.close()


def test_tab_shows_what_a_user_needs_and_nothing_else():
    shown = {name for name in dir(Selection) if not name.startswith("_")} - {*dir(anywidget.AnyWidget)}
    assert shown == {"copy_from", "depth", "head", "key", "pinned", "position", "row", "show", "update", "values"}
    assert {name for name in dir(Status) if not name.startswith("_")} - {*dir(anywidget.AnyWidget)} == {"run"}
