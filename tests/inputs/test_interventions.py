"""Interventions in words: which parts are meant, what is refused, and that what is shown can be pasted."""

import numpy as np
import pytest
import torch

import residscope as rs
from residscope.inputs.interventions import added, part_names, without
from tests import tiny

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]
CORRUPTED = ["When Mary and John went to the store, Mary gave a drink to", "Mary met Anna at the park"]


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture(scope="module")
def experiment(model):
    experiment = rs.Experiment(model, PROMPTS, (" Mary", " John"))
    yield experiment
    experiment.close()


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("L2H1", ["L2H1"]),
        ("2.1", ["L2H1"]),
        ("L02H01", ["L2H1"]),
        ((2, 1), ["L2H1"]),
        ((np.int64(2), torch.tensor(1)), ["L2H1"]),
        ([(2, 1), "L2.mlp", "2.1", "L0"], ["L2H1", "L2.mlp", "L0"]),
        ([[2, 1], [0, 3]], ["L2H1", "L0H3"]),
        (np.array([[2, 1], [0, 3]]), ["L2H1", "L0H3"]),
        (torch.tensor([[2, 1]]), ["L2H1"]),
        ("L1.resid_post", ["L1.resid_post"]),
        ({"L1.attn"}, ["L1.attn"]),
    ],
)
def test_a_part_is_named_as_the_field_names_it(what, names):
    assert part_names(what) == tuple(names)


@pytest.mark.parametrize(
    "what", ["", "L2H", "H1", "mlp", "L2.z", "l2h1", [3, 0], (-1, 0), [], None, 3, (True, 0), [None], (1, 2, 3)]
)
def test_what_names_no_part_is_told_how_parts_are_named(what):
    with pytest.raises(rs.InputError, match=r'name a head "L3H0" or \(3, 0\), "L3.attn", "L3.mlp", or "L3" for both'):
        rs.Ablation(what)


VECTOR = [0.5] * tiny.D_MODEL

REFUSED = [
    (rs.Ablation("L9H0"), "there is no layer 9: this model has layers 0 to 2"),
    (rs.Ablation("L0H4"), "there is no head 4: this model has heads 0 to 3"),
    (rs.Ablation("L0H1", positions=[7]), "row 1 has no position 7 to edit L0H1 at: it has positions 0 to 6"),
    (rs.Ablation("L0H1", positions=[[1], [2], [3]]), "give one list for all rows, or one for each of the 2 rows"),
    (rs.Ablation("L0H1", "resample"), "nothing to resample row 0 from: give a corrupted prompt, or another prompt"),
    (rs.Ablation("L0H1", reference=["", "a"]), "prompts has an empty text: give at least one token"),
    (rs.Ablation("L0H1", reference=[[5]]), "there is no token to take a mean over"),
    (rs.Steering(0, [1.0, 2.0, 3.0]), "the vector has the shape \\[3\\]: give \\[32\\], this model's d_model"),
    (rs.Steering(0, torch.full((32,), torch.inf)), "the vector has NaN or infinity"),
    (rs.Steering(5, VECTOR), "there is no layer 5: this model has layers 0 to 2"),
    ("L0H1", "'L0H1' is not an intervention: give rs.Ablation\\(...\\), rs.Scaling\\(...\\) or rs.Steering"),
]


@pytest.mark.parametrize(("one", "sentence"), REFUSED, ids=repr)
def test_what_cannot_be_done_is_refused_and_nothing_changes(experiment, one, sentence):
    before = experiment.wait()
    with pytest.raises(rs.InputError, match=sentence):
        experiment.update(interventions=[one])
    assert experiment.trace is before
    assert experiment.interventions == ()


NEVER = [
    (lambda: rs.Ablation("L0H1", "median"), 'kind of an ablation is "mean", "zero" or "resample", not \'median\''),
    (
        lambda: rs.Ablation("L0H1", "zero", reference="Tom met"),
        'reference= is for kind="mean", and this is kind="zero"',
    ),
    (lambda: rs.Ablation("L0H1", dose=float("nan")), "dose is a finite number, not nan"),
    (lambda: rs.Scaling("L0H1", "2"), "factor is a finite number, not '2'"),
    (lambda: rs.Scaling("L0H1", True), "factor is a finite number, not True"),
    (lambda: rs.Steering(0, VECTOR, at="top"), 'a vector is added at "pre", "mid" or "post", not at \'top\''),
    (lambda: rs.Steering(0, VECTOR, factor=None), "factor is a finite number, not None"),
    (lambda: rs.Steering(0, "north"), "is not a vector: give numbers \\[d_model\\], or two lists of prompts"),
]


@pytest.mark.parametrize(("make", "sentence"), NEVER)
def test_what_no_model_could_do_is_refused_at_once(make, sentence):
    with pytest.raises(rs.InputError, match=sentence):
        make()


def test_a_caches_run_that_is_not_the_models_is_not_intervened_in(model):
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6]])
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens)
    changed = {name: value * 1.5 if name == "blocks.1.hook_mlp_out" else value for name, value in cache.items()}
    experiment = rs.Experiment.from_cache(model, changed, tokens, (7, 8))
    with pytest.raises(rs.InputError, match="these activations come from a cache"):
        experiment.ablate("L1H1")
    experiment.close()


@pytest.mark.parametrize(
    "one",
    [
        rs.Ablation("L2H1"),
        rs.Ablation(["L2H1", "L0.mlp"], "zero", positions=[[0, -1], [2]]),
        rs.Ablation("L2", reference=["Tom met Anna", "Anna met Tom"], first=True, dose=0.5),
        rs.Ablation("L2.attn", "resample", seed=3),
        rs.Scaling(["L0H1"], 0.5, positions=[-1]),
        rs.Steering(1, (["Tom met Anna"], ["Anna met Tom"]), factor=2.5, at="pre"),
    ],
    ids=repr,
)
def test_what_is_shown_can_be_pasted(one):
    assert eval(repr(one), {"rs": rs}) == one
    assert eval(repr((one,)), {"rs": rs}) == (one,)


def test_a_vector_is_shown_by_its_size_and_compared_by_its_numbers():
    one = rs.Steering(1, VECTOR)
    assert repr(one) == "rs.Steering(1, vector[32])"
    assert one == rs.Steering(1, torch.tensor(VECTOR))
    assert one != rs.Steering(1, [*VECTOR[1:], 0.25])
    assert one != rs.Steering(1, (["Tom"], ["Ann"]))
    assert one != rs.Steering(1, VECTOR, 2)


def test_what_a_user_changes_afterwards_changes_nothing():
    positions, prompts, vector = [1, 2], ["Tom met Anna"], torch.ones(tiny.D_MODEL)
    ablation = rs.Ablation("L2H1", positions=positions, reference=prompts)
    steering = rs.Steering(1, vector)
    positions.append(3)
    prompts.append("Anna met Tom")
    vector.mul_(2)
    assert ablation == rs.Ablation("L2H1", positions=[1, 2], reference=["Tom met Anna"])
    assert steering == rs.Steering(1, torch.ones(tiny.D_MODEL))


def test_the_newest_takes_the_place_of_older_ones_of_the_same_parts():
    mean, zero = rs.Ablation(["L2H1", "L0H0"]), rs.Ablation("L2H1", "zero")
    assert added([mean], zero) == (rs.Ablation("L0H0"), zero)
    assert added([zero], rs.Scaling("L2H1", 2)) == (rs.Scaling("L2H1", 2),)
    elsewhere = rs.Ablation("L2H1", "zero", positions=[-1])
    assert added([mean], elsewhere) == (mean, elsewhere)
    steering = rs.Steering(1, VECTOR)
    assert added([steering, mean], steering) == (steering, mean, steering)


def test_a_part_is_taken_out_of_all_interventions_by_its_name():
    steering = rs.Steering(1, VECTOR)
    before = [rs.Ablation(["L2H1", "L0H0"]), rs.Scaling("L2H1", 2), steering]
    assert without(before, "L2H1") == (rs.Ablation("L0H0"), steering)
    assert without(before, "L1.resid_post") == tuple(before[:2])


def test_new_prompts_keep_the_interventions_that_fit_and_say_which_do_not(model):
    experiment = rs.Experiment(model, PROMPTS, (" Mary", " John"), corrupted=CORRUPTED)
    fits, too_far = rs.Ablation("L1H1"), rs.Ablation("L1H2", "zero", positions=[6])
    needs_corrupted = rs.Ablation("L0.mlp", "resample")
    experiment.interventions = [fits, too_far, needs_corrupted]
    experiment.update(prompts="Tom met Anna", corrupted=None)
    assert experiment.interventions == (fits,)
    told = [warning for warning in experiment.warnings if warning.startswith("Dropped")]
    assert len(told) == 2
    assert told[0].startswith(f"Dropped {too_far!r}, which no longer fits: ")
    assert told[1].startswith(f"Dropped {needs_corrupted!r}, which no longer fits: ")
    assert any("The mean of L1H1 is over only 3 tokens" in warning for warning in experiment.warnings)
    experiment.back()
    assert experiment.interventions == (fits, too_far, needs_corrupted)
    experiment.close()
