"""Rotary embeddings that turn by the longest text of a run."""

import pytest
import torch
import transformers as hf

import residscope as rs
from tests import architectures

LIMIT = 16
SHORT, LONG, LONGER = list(range(5, 11)), list(range(20, 50)), list(range(20, 55))


def longrope():
    torch.manual_seed(0)
    halves = architectures.WIDTH // architectures.HEADS // 2
    scaling = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * halves,
        "long_factor": [4.0] * halves,
    }
    config = hf.Phi3Config(
        vocab_size=len(architectures.tokenizer()),
        hidden_size=architectures.WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=architectures.HEADS,
        num_key_value_heads=architectures.HEADS,
        max_position_embeddings=64,
        original_max_position_embeddings=LIMIT,
        rope_parameters=scaling,
        pad_token_id=0,
    )
    return hf.Phi3ForCausalLM(config).eval()


def value(model, tokens):
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0, -1]
    return float(logits[17] - logits[50])


@pytest.mark.parametrize("rows", [[LONG, LONGER], [SHORT, LONG[:LIMIT]]], ids=["long", "short"])
def test_rows_that_leave_each_other_alone_run_together(rows):
    model = longrope()
    trace = rs.Experiment(model, rows, (17, 50), tokenizer=architectures.tokenizer()).trace
    assert trace.target_value.tolist() == pytest.approx([value(model, row) for row in rows], abs=2e-4)


def test_rows_that_would_change_each_other_are_refused_and_run_alone():
    model, tokenizer = longrope(), architectures.tokenizer()
    with pytest.raises(
        rs.InputError, match=r"more than 16 tokens changes the numbers of shorter ones.*these have 6 to 30"
    ):
        rs.Experiment(model, [SHORT, LONG], (17, 50), tokenizer=tokenizer)
    for row in (SHORT, LONG, SHORT):
        trace = rs.Experiment(model, [row], (17, 50), tokenizer=tokenizer).trace
        assert float(trace.target_value[0]) == pytest.approx(value(model, row), abs=2e-4)
