"""A run that does not fit in memory is made in halves, and refused when one row does not fit."""

import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge

import residscope as rs
from tests import architectures, tiny

PROMPTS = ["John", "Mary and John went", "Mary", "John and Mary", "the"]
SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
    RuntimeError("MPS backend out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    MemoryError(),
]


@pytest.fixture
def room(monkeypatch):
    """Let only so many rows run at once; returns the rows that ran."""
    ran, run = [], TransformerBridge.run_with_hooks

    def room(rows, error=SHORT[0]):
        def limited(self, tokens, **options):
            if len(tokens) > rows:
                raise error
            ran.append(len(tokens))
            return run(self, tokens, **options)

        monkeypatch.setattr(TransformerBridge, "run_with_hooks", limited)
        return ran

    return room


@pytest.mark.parametrize("error", SHORT, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("build", [tiny.bridge, architectures.build], ids=["llama", "GPT-2"])
def test_rows_that_do_not_fit_together_run_in_halves_with_the_same_numbers(room, build, error):
    model = build("llama" if build is tiny.bridge else "GPT-2")
    prompts = PROMPTS if build is tiny.bridge else [[1, 2, 3], [4], [5, 6], [7, 8, 9, 1], [2, 2]]
    whole = rs.Experiment(model, prompts).trace
    ran = room(2, error)
    halves = rs.Experiment(model, prompts).trace
    assert ran == [2, 1, 2]
    for name, one in vars(whole._recording).items():
        other = getattr(halves._recording, name)
        if one is None:
            assert other is None
        else:
            torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-5, equal_nan=True)
    torch.testing.assert_close(halves.head_attribution(), whole.head_attribution(), atol=1e-5, rtol=1e-4)
    assert all(check.ok for check in halves.sum_check())


def test_a_row_that_does_not_fit_says_what_to_turn_down(room):
    room(0)
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPTS)
    sentence = r"a run of one prompt of \d+ tokens does not fit in memory: give shorter prompts, or load the model with"
    with pytest.raises(torch.OutOfMemoryError, match=sentence):
        experiment.wait()
    assert "does not fit in memory" in experiment.status._error["message"]
    experiment.close()


def test_looking_again_at_rows_that_do_not_fit_says_so(room):
    trace = rs.Experiment(tiny.bridge("llama"), PROMPTS).trace
    room(0)
    with pytest.raises(torch.OutOfMemoryError, match=r"a run of 5 prompts of \d+ tokens.*fewer or shorter prompts"):
        trace.source_split(0)


def test_another_failure_is_not_taken_for_want_of_memory(room):
    ran = room(2, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        _ = rs.Experiment(tiny.bridge("llama"), PROMPTS).trace
    assert ran == []


def test_padding_runs_no_token_that_no_prompt_has():
    model = tiny.bridge("llama")
    with torch.no_grad():
        model.original_model.get_input_embeddings().weight[0] = torch.nan
    alone = rs.Experiment(model, [[8]], (17, 50)).trace
    together = rs.Experiment(model, [[5, 6, 7], [8]], (17, 50)).trace
    assert float(together.target_value[1]) == pytest.approx(float(alone.target_value[0]), abs=1e-5)
