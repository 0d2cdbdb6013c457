"""What views show of a run with interventions: now, before and change; and what a gesture in one of them does."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import residscope as rs
from tests import tiny
from tests.settled import asked, filled, read

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]


@pytest.fixture
def experiment():
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPTS, (" Mary", " John"))
    yield experiment
    experiment.close()


@pytest.fixture
def intervened(experiment):
    experiment.ablate(["L1H1", "L0.mlp"], "zero")
    experiment.steer(1, [0.3] * tiny.D_MODEL, positions=[-1])
    return experiment


def test_heads_carry_the_untouched_runs_and_the_change_at_its_scale(intervened):
    _, info, arrays = read(filled(rs.HeadAttribution(intervened))._data)
    assert [one["name"] for one in info["quantities"]] == ["direct effect"]
    trace = intervened.trace
    np.testing.assert_array_equal(arrays["0.values"], trace.head_attribution())
    np.testing.assert_array_equal(arrays["0.reference"], intervened.baseline.head_attribution())
    np.testing.assert_array_equal(arrays["0.moved"], trace.changes().heads)
    assert np.abs(arrays["0.moved"][:, 0]).max() == 0, "nothing reaches the heads before it"


def test_layers_have_rows_for_what_edits_add_and_one_for_the_moved_scale(intervened):
    view = filled(rs.LayerAttribution(intervened))
    frame = view.to_frame().set_index(["row", "component"])
    for row in range(2):
        own = frame.loc[row]
        moved = float(intervened.trace.target_value[row] - intervened.baseline.target_value[row])
        assert own.change.sum() == pytest.approx(moved, abs=1e-5)
        assert own.direct_effect.sum() == pytest.approx(float(intervened.trace.target_value[row]), abs=1e-5)
        assert own.before.sum() == pytest.approx(float(intervened.baseline.target_value[row]), abs=1e-5)
        assert own.before["L1.resid_post_edit"] == 0 != own.direct_effect["L1.resid_post_edit"]
        assert own.direct_effect["L0.mlp"] == 0 != own.before["L0.mlp"]
        assert np.isnan(own.direct_effect["final_norm"])
        assert own.change["final_norm"] != 0


def test_without_interventions_there_is_nothing_to_compare(experiment):
    for kind in (rs.HeadAttribution, rs.LayerAttribution):
        _, _, arrays = read(filled(kind(experiment))._data)
        assert not {"0.reference", "0.moved"} & arrays.keys()
        assert "before" not in kind(experiment).to_frame()


class Biggest(rs.View):
    """A view of a user's own, which knows nothing of interventions."""

    def quantities(self, trace):
        yield rs.Quantity("largest logit", trace.logits.max(-1).values, "row", "logits")
        if not trace.edits:
            yield rs.Quantity("untouched alone", trace.logits.min(-1).values, "row", "logits")


def test_a_view_of_ones_own_is_compared_by_the_names_of_its_quantities(intervened):
    _, info, arrays = read(filled(Biggest(intervened))._data)
    assert [one["name"] for one in info["quantities"]] == ["largest logit"]
    np.testing.assert_array_equal(arrays["0.reference"], intervened.baseline.logits.max(-1).values)


@pytest.mark.parametrize(("show", "words"), [("now", ""), ("before", " · before"), ("change", " · change")])
def test_pictures_say_which_of_the_three_they_show(intervened, show, words):
    intervened.selection.update(show=show)
    for kind in (rs.HeadAttribution, rs.LayerAttribution):
        view = filled(kind(intervened))
        picture = view.to_svg(2000)
        assert ">direct effect " in picture
        assert f"on ·Mary − ·John · logits{words}</text>" in picture
        assert ("final_norm" in picture) == (show == "change" and kind is rs.LayerAttribution)


def test_the_header_tells_what_is_in_force_and_how_far_the_run_is_from_the_untouched_one(intervened):
    intervened.wait()
    header = intervened.status._header
    assert header["interventions"] == [
        {"do": "ablate", "parts": ["L1H1", "L0.mlp"], "kind": "zero", "by": 0, "at": ""},
        {"do": "steer", "parts": ["L1.resid_post"], "kind": "", "by": 1, "at": "at [-1]"},
    ]
    assert header["answered"] == intervened.trace.what_answered()
    now, before = intervened.trace, intervened.baseline
    for row, told in enumerate(header["rows"]):
        was = before.logits[row].log_softmax(-1)
        kl = F.kl_div(now.logits[row].log_softmax(-1), was, reduction="sum", log_target=True)
        right = now.target.right[row].ids[0]
        assert told["before"]["value"] == pytest.approx(float(before.target_value[row]))
        assert told["before"]["kl"] == pytest.approx(float(kl), rel=1e-4)
        assert told["before"]["right_prob"] == pytest.approx(float(was[right].exp()))
        assert told["before"]["right_rank"] == int((was > was[right]).sum())
    intervened.reset()
    intervened.wait()
    header = intervened.status._header
    assert (header["interventions"], header["answered"]) == ([], [])
    assert [told["before"] for told in header["rows"]] == [None, None]


def gesture(experiment, **asked):
    experiment.wait()
    last = (experiment.status._intervene or {"id": 0})["id"]
    experiment.status.set_state({"_intervene": {"id": last + 1, **asked}})
    experiment.wait()
    return experiment.interventions


def test_x_switches_off_by_the_kind_used_last_and_on_again(experiment):
    assert gesture(experiment, do="switch", parts=["L1H1"]) == (rs.Ablation("L1H1"),)
    experiment.ablate("L2H0", "zero", positions=[-1])
    both = gesture(experiment, do="switch", parts=["L0H3"])
    assert both[2:] == (rs.Ablation("L0H3", "zero", positions=[-1]),)
    assert gesture(experiment, do="switch", parts=["L1H1"]) == both[1:]
    assert gesture(experiment, do="switch", parts=["L2H0", "L0H3"]) == ()


def test_all_pins_are_switched_off_together(experiment):
    gesture(experiment, do="switch", parts=["L1H1"])
    assert gesture(experiment, do="switch", parts=["L1H1", "L2.mlp"]) == (rs.Ablation(["L1H1", "L2.mlp"]),)


def test_kind_and_dose_are_chosen_by_a_chips_menu(experiment):
    gesture(experiment, do="switch", parts=["L1H1"])
    assert gesture(experiment, do="ablate", parts=["L1H1"], kind="zero") == (rs.Ablation("L1H1", "zero"),)
    assert gesture(experiment, do="ablate", parts=["L1H1"], dose=1.5) == (rs.Ablation("L1H1", "zero", dose=1.5),)
    experiment.scale("L1H1", 3)
    assert gesture(experiment, do="switch", parts=["L1H1"]) == (rs.Ablation("L1H1"),)
    experiment.steer(1, [1.0] * tiny.D_MODEL)
    assert gesture(experiment, do="reset", parts=["L1.resid_post"]) == (rs.Ablation("L1H1"),)
    assert gesture(experiment, do="reset") == ()
    assert torch.equal(experiment.trace.logits, experiment.baseline.logits)


def test_what_cannot_be_done_is_told_in_every_view_until_the_next_run(experiment):
    assert gesture(experiment, do="ablate", parts=["L1H1"], kind="resample") == ()
    error = experiment.status._error
    assert error["run"] == 1
    assert error["message"].startswith("there is nothing to resample row 0 from: give a corrupted prompt")
    gesture(experiment, do="switch", parts=["L1H1"])
    assert experiment.status._error is None


@pytest.mark.parametrize(
    "asked",
    [
        {"do": "explode"},
        {"do": "switch"},
        {"do": "switch", "parts": []},
        {"do": "switch", "parts": ["L9H9"]},
        {"do": "switch", "parts": [["L1H1"]]},
        {"do": "ablate", "parts": ["L1H1"], "dose": "much"},
        {"do": "ablate", "parts": ["L1H1"], "kind": 3},
        {"parts": ["L1H1"]},
    ],
    ids=str,
)
def test_what_no_view_of_ours_asks_changes_nothing(experiment, asked):
    assert gesture(experiment, **asked) == ()
    assert experiment.status.run == 1
    experiment.close()
    experiment.status.set_state({"_intervene": {"id": 9, "do": "switch", "parts": ["L1H1"]}})


def test_causal_effects_fill_the_map_and_are_a_column_of_the_table(experiment):
    view = rs.HeadAttribution(experiment, colour="causal effect", off="zero")
    _, info, arrays = read(filled(view)._data)
    effects = experiment.causal_effects("zero")
    np.testing.assert_array_equal(arrays["0.values"], effects)
    (told,) = info["quantities"]
    assert [told[name] for name in ("name", "unit", "measured_on", "checks")] == [
        "causal effect", "logits", "off: zero", []
    ]  # fmt: skip
    frame = view.to_frame()
    np.testing.assert_allclose(frame.causal_effect, effects.reshape(-1))
    assert set(frame.off) == {"zero"}
    assert "causal effect" in view.to_svg()
    view.off = "mean"
    _, _, arrays = read(filled(view)._data)
    np.testing.assert_array_equal(arrays["0.values"], experiment.causal_effects("mean"))
    experiment.ablate("L1H1", "zero")
    _, _, arrays = read(filled(view)._data)
    assert "0.reference" not in arrays
    np.testing.assert_array_equal(arrays["0.values"], experiment.causal_effects("mean"))


def test_a_causal_effect_that_lacks_its_prompts_is_told_in_the_view(experiment):
    view = filled(rs.HeadAttribution(experiment, colour="causal effect", off="resample"))
    (job,) = [job for job in experiment.status._jobs if job["of"] == view._still]
    assert job["error"].startswith("there is nothing to resample row 0 from")


def test_the_card_is_told_what_switching_its_head_off_costs(experiment):
    view = filled(rs.HeadReadout(experiment))
    (said, _) = asked(view, "causal/1/L1H2")["causal/1/L1H2"]
    before = experiment.trace.target_value[1]
    for kind, effect in said["causal"]:
        run = experiment.run(ablate="L1H2", kind=kind)
        assert effect == pytest.approx(float(before - run.target_value[1]), abs=1e-5)
    assert [kind for kind, _ in said["causal"]] == ["mean", "zero"]
    for key in ("causal/2/L1H2", "causal/0/L9H0", "causal/0/L0H9"):
        assert isinstance(asked(view, key)[key][0], str)
