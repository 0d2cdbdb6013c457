"""Long prompts: only what is shown is computed, the rest when it comes on screen, and memory is bounded."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import residscope as rs
from residscope.experiment import source_of
from residscope.inputs.reader import Reader
from residscope.models.weights import logits_of
from residscope.runs import memory
from residscope.runs import trace as trace_module
from residscope.views import logit_lens
from tests import architectures, tiny
from tests.settled import asked, filled, read, settle

ANSWERS = {"difference": (" Mary", " John"), "several": ([" Mary", " Tom"], " John"), "log-probability": " Mary"}
LONG = 1000
DEPTHS, WIDTH, VOCABULARY = 7, 32, 655


def long_model():
    """A model that reads long prompts: its rotary positions have no end of their own."""
    model = architectures.build("Llama")
    model.cfg.n_ctx = 2048
    return model


def ids(length, seed=0):
    return np.random.default_rng(seed).integers(3, 600, length).tolist()


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("name", ["GPT-2", "Llama", "Gemma-2", "Granite", "Cohere"])
def test_the_curve_is_the_target_at_every_position_through_the_models_own_head(name, kind):
    model = architectures.build(name)
    inputs = Reader(model).parse(["When Mary and John went to the store", "Tom met"], ANSWERS[kind], None, None)
    trace = rs.Trace(model, inputs)
    curve = trace.target_curve()
    assert curve.shape == (2, 7, trace.tokens.shape[1])
    for row, length in enumerate(trace.lengths):
        for depth in range(7):
            with torch.no_grad():
                logits = logits_of(model, trace._recording.resid[depth, row, :length]).float()
            expected = trace.target.of_term(row, length).value(logits)
            torch.testing.assert_close(curve[row, depth, :length], expected, atol=2e-4, rtol=1e-4)
        assert curve[row, :, length:].isnan().all()
        read_at = trace.target.positions[row]
        torch.testing.assert_close(curve[row, :, read_at], trace.lens_target().value[row], atol=2e-4, rtol=1e-4)


def test_cells_of_a_window_are_those_of_the_whole_lens():
    model = tiny.bridge("llama")
    inputs = Reader(model).parse(["When Mary and John went to the store", "Tom met"], None, None, None)
    trace = rs.Trace(model, inputs)
    whole, part = trace.logit_lens(5), trace.lens_cells(0, 2, 6, 5)
    torch.testing.assert_close(part.top_ids, whole.top_ids[0, :, 2:6])
    torch.testing.assert_close(part.top_probs, whole.top_probs[0, :, 2:6])
    torch.testing.assert_close(part.entropy, whole.entropy[0, :, 2:6])
    with pytest.raises(IndexError, match="there are no positions 6 to 9: this prompt has"):
        trace.lens_cells(1, 6, 9)
    with pytest.raises(IndexError, match="there is no prompt 2: this run has prompts 0 to 1"):
        trace.lens_cells(2, 0, 1)
    with pytest.raises(ValueError, match="k is 1 to"):
        trace.lens_cells(0, 0, 1, 0)


def test_of_a_long_prompt_the_last_positions_are_sent_and_others_when_they_are_asked_for():
    experiment = rs.Experiment(long_model(), ids(LONG), (" Mary", " John"))
    view = filled(rs.LogitLens(experiment))
    trace = experiment.trace
    run, info, arrays = read(view._data)
    assert info["starts"] == [LONG - logit_lens.LAST]
    assert arrays["top_ids.0"].shape == (7, logit_lens.LAST, 10)
    assert arrays["curve"].shape == (1, 7, LONG)

    for refused in (
        f"cells/0/0/{LONG + 1}",
        "cells/1/0/1",
        "cells/0/5/5",
        f"cells/0/0/{logit_lens.MOST_ASKED + 1}",
        "cells/x/0/1",
        "cells/0/-1/1",
        "",
    ):
        assert asked(view, refused) == {refused: (f"there is no {refused!r} in this run", {})}
    before = view._answer
    asked(view, "cells/0/0/1", run=run + 1)
    for nonsense in (
        None,
        {"run": run},
        {"run": run, "keys": "cells"},
        {"run": True, "keys": []},
        {"run": run, "keys": [1]},
    ):
        view.set_state({"_ask": nonsense})
        filled(view)
    assert view._answer == before
    info, arrays = asked(view, "cells/0/64/96")["cells/0/64/96"]
    cells = trace.lens_cells(0, 64, 96)
    np.testing.assert_array_equal(arrays["top_ids"], cells.top_ids.numpy())
    assert all(str(token) in info["texts"] for token in np.unique(arrays["top_ids"]))
    experiment.close()


def work_of(model, length):
    """Return what one prompt edit does with the views of the workbench: operations, bytes sent, bytes kept."""
    experiment = rs.Experiment(model, ids(8), (" Mary", " John"))
    kinds = (rs.TokenStrip, rs.HeadAttribution, rs.LayerAttribution, rs.AttentionPattern, rs.LogitLens)
    views = [kind(experiment) for kind in kinds]
    settle(experiment)
    done = []

    def counted(ticket):
        # Operations are counted on the thread that does them.
        with FlopCounterMode(display=False) as counter:
            trace = experiment.run(prompts=ids(length))
            for view in views:
                for _ in view._payloads(trace, ticket):
                    pass
        done.append((counter.get_total_flops(), trace))

    source_of(experiment).ask("counted", counted).wait(60)
    experiment.prompts = ids(length)
    experiment.wait()
    settle(experiment)
    ((work, trace),) = done
    sent = sum(len(view._data) for view in views)
    kept = sum(value.nbytes for value in vars(trace._recording).values() if isinstance(value, torch.Tensor))
    experiment.close()
    return work, sent, kept


def test_a_long_prompt_costs_its_run_and_little_more():
    model = long_model()
    work, sent, kept = work_of(model, LONG)
    with FlopCounterMode(display=False) as plain, torch.no_grad():
        model(torch.tensor([ids(LONG)]))
    # The cells that are sent, the target at every depth and position, and each head's part at one position.
    cells = 2 * DEPTHS * logit_lens.LAST * WIDTH * VOCABULARY
    curve = 2 * DEPTHS * LONG * WIDTH * 2
    assert work - plain.get_total_flops() < 1.2 * (cells + curve)
    assert cells < 0.05 * (2 * DEPTHS * LONG * WIDTH * VOCABULARY), "the whole lens would be thirty times as much"
    # The stream at every depth, and no map of queries and keys.
    assert kept < 1.3 * DEPTHS * LONG * WIDTH * 4
    assert sent < 250_000


def test_maps_computed_on_demand_are_kept_up_to_a_size(monkeypatch):
    model = long_model()
    monkeypatch.setattr(trace_module, "PATTERN_BYTES", 0)
    inputs = Reader(model).parse(ids(LONG), None, None, None)
    one = memory.size_of(rs.Trace(model, inputs).value_weighted(0))
    monkeypatch.setattr(memory, "KEPT_BYTES", 2 * one)
    trace = rs.Trace(model, inputs)
    for layer in (0, 1, 2):
        trace.value_weighted(layer)
    assert trace._memory.keys == [("weighted", 1), ("weighted", 2)]
    monkeypatch.setattr(memory, "KEPT_BYTES", 0)
    trace = rs.Trace(model, inputs)
    assert trace.value_weighted(0) is not trace.value_weighted(1)
    assert trace._memory.keys == [("weighted", 1)], "the newest stays whatever its size"
