"""Edits placed on the rows of a run: what replaces what, what adds up, and what is refused."""

import pytest
import torch

import residscope as rs
from residscope.models import Edit, Site
from residscope.models.edits import place
from tests import architectures

LENGTHS = [5, 3]


@pytest.fixture(scope="module")
def model():
    return architectures.build("Llama")


def one(*edits, model):
    (placed,) = place(edits, model, LENGTHS)
    return placed


def test_positions_are_in_each_rows_own_tokens_and_padding_is_never_edited(model):
    for positions, expected in (
        (None, [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        ([0, -1], [[1, 0, 0, 0, 1], [1, 0, 1, 0, 0]]),
        ([[1, -1], []], [[0, 1, 0, 0, 1], [0, 0, 0, 0, 0]]),
        (torch.tensor([2]), [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]),
    ):
        site = Site("mlp", 1)
        object.__setattr__(site, "positions", positions)  # as an array is given without the tests' type checks
        placed = one(Edit(site, 0), model=model)
        assert placed.where.int().tolist() == expected
        assert (placed.factor[..., 0] == 0).equal(placed.where)


def test_the_newest_edit_of_a_part_replaces_the_older_at_its_positions(model):
    vector = torch.arange(32.0)
    placed = one(
        Edit(Site("mlp", 1), 0, vector),
        Edit(Site("mlp", 1, positions=[2]), 0.5),
        model=model,
    )
    assert placed.factor[0, :, 0].tolist() == [0, 0, 0.5, 0, 0]
    assert torch.equal(placed.plus[0, 1], vector)
    assert (placed.plus[:, 2] == 0).all()


def test_steering_vectors_add_up_and_replace_what_is_no_steering(model):
    vector = torch.ones(32)
    site = Site("resid_post", 0, positions=[1, 2])
    placed = one(Edit(site, 1, vector), Edit(Site("resid_post", 0, positions=[2]), 1, 2 * vector), model=model)
    assert placed.plus[0, :, 0].tolist() == [0, 1, 3, 0, 0]
    placed = one(Edit(site, 0, vector), Edit(Site("resid_post", 0, positions=[2]), 1, 2 * vector), model=model)
    assert placed.factor[0, :, 0].tolist() == [1, 0, 1, 1, 1]
    assert placed.plus[0, :, 0].tolist() == [0, 1, 2, 0, 0]


def test_a_heads_part_and_its_z_are_one_part(model):
    placed = place([Edit(Site("head", 1, 2), 0), Edit(Site("z", 1, 2, [1]), 0, torch.ones(8))], model, LENGTHS)
    by_kind = {edit.slot.kind: edit for edit in placed}
    assert by_kind["z"].where.int().tolist() == [[0, 1, 0, 0, 0]] * 2
    assert by_kind["head"].where.int().tolist() == [[1, 0, 1, 1, 1], [1, 0, 1, 0, 0]]
    assert by_kind["head"].factor[:, 1].tolist() == [[1], [1]]
    # What is added to a head's part is added to its z: they add up.
    both = one(Edit(Site("head", 1, 2), 1, torch.ones(8)), Edit(Site("z", 1, 2), 1, torch.ones(8)), model=model)
    assert (both.plus[0] == 2).all()


def test_an_edit_that_changes_nothing_is_none(model):
    nothing = [
        Edit(Site("attn", 1), 1),
        Edit(Site("mlp", 1), 1, torch.zeros(32)),
        Edit(Site("mlp", 2, positions=[]), 0),
    ]
    assert not place(nothing, model, LENGTHS)
    # It replaces an older one all the same.
    placed = one(Edit(Site("mlp", 1), 0), Edit(Site("mlp", 1, positions=[2, -1]), 1), model=model)
    assert placed.where.int().tolist() == [[1, 1, 0, 1, 0], [1, 1, 0, 0, 0]]


def test_a_dose_of_zero_is_the_edit_and_of_one_is_none():
    vector = torch.ones(32)
    off = Edit(Site("mlp", 1), 0, vector)
    assert (off.dosed(0).factor, off.dosed(0).plus.tolist()) == (0, vector.tolist())
    assert (off.dosed(1).factor, off.dosed(1).plus.tolist()) == (1, [0] * 32)
    assert (off.dosed(0.25).factor, off.dosed(0.25).plus.tolist()) == (0.25, [0.75] * 32)
    steered = Edit(Site("mlp", 1), 1, vector).dosed(0.25)
    assert (steered.factor, steered.plus.tolist()) == (1, [0.75] * 32)


REFUSED = {
    "kind": (Edit(Site("heads", 0)), "there is no part 'heads' to edit: the parts are head, z, attn, mlp, resid_pre"),
    "layer": (Edit(Site("mlp", 3)), "there is no layer 3: this model has layers 0 to 2"),
    "negative layer": (Edit(Site("mlp", -1)), "there is no layer -1: this model has layers 0 to 2"),
    "head": (Edit(Site("head", 1, 4)), "there is no head 4: this model has heads 0 to 3"),
    "no head": (Edit(Site("z", 1)), "there is no head None: this model has heads 0 to 3"),
    "a head of all": (Edit(Site("attn", 1, 2)), "attn belongs to a whole layer: give head=None, or edit the kind"),
    "position": (
        Edit(Site("head", 1, 2, [4])),
        "row 1 has no position 4 to edit L1H2 at: it has positions 0 to 2, and -3 to -1 from its end",
    ),
    "rows": (
        Edit(Site("mlp", 1, positions=[[1]])),
        "the positions of L1.mlp are .* give one list for all rows, or one",
    ),
    "factor": (Edit(Site("mlp", 1), float("nan")), "L1.mlp cannot be multiplied by nan: give a finite number"),
    "flag": (Edit(Site("mlp", 1), True), "L1.mlp cannot be multiplied by True: give a finite number"),
    "shape": (
        Edit(Site("z", 1, 2), 0, torch.ones(32)),
        r"a tensor of shape \[32\] cannot be added to L1H2.z: give a tensor of shape \[8\] or \[2, 5, 8\]",
    ),
    "not finite": (Edit(Site("mlp", 1), 1, torch.full((32,), torch.inf)), "has NaN or infinity"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_edited_is_refused_in_one_sentence(model, case):
    edit, sentence = REFUSED[case]
    with pytest.raises(rs.InputError, match=sentence) as error:
        place([edit], model, LENGTHS)
    assert error.value.field == "interventions"


def test_what_a_layer_does_not_have_is_refused_by_name():
    with pytest.raises(rs.InputError, match="layer 0 runs attention and MLP in parallel, so it has no resid_mid"):
        place([Edit(Site("resid_mid", 0), 0)], architectures.build("GPT-J"), LENGTHS)
    hybrid = architectures.build("Qwen3.5 (hybrid)")
    for site in (Site("head", 0, 1), Site("z", 0, 1), Site("attn", 1)):
        with pytest.raises(rs.InputError, match=r"layer \d has no attention heads: edit its mlp, resid_pre, resid_mid"):
            place([Edit(site, 0)], hybrid, LENGTHS)
    assert place([Edit(Site("resid_mid", 0), 0)], hybrid, LENGTHS)
