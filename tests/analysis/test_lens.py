"""What is read of the logits of a residual vector."""

import pytest
import torch

from residscope.analysis import lens


@pytest.mark.parametrize("size", [1, 7, 100], ids=lambda size: f"{size} at a time")
def test_vectors_read_in_chunks_say_what_the_softmax_of_all_says(size, monkeypatch):
    logits = 5 * torch.randn(23, 40, generator=torch.Generator().manual_seed(0))
    logits[:, 3] = -torch.inf
    logits[4, 5:] = -torch.inf
    logits[9] += 1e4
    monkeypatch.setattr(lens, "CHUNK_BYTES", 4 * 40 * size)
    steps = []
    read = lens.read_out(logits, lambda some: some, 40, 5, lambda *step: steps.append(step))
    probs = logits.double().softmax(-1)
    top = probs.topk(5)
    torch.testing.assert_close(read.top_ids, top.indices)
    torch.testing.assert_close(read.top_probs, top.values.float(), rtol=1e-4, atol=1e-7)
    entropy = -torch.special.xlogy(probs, probs).sum(-1)
    torch.testing.assert_close(read.entropy, entropy.float(), rtol=1e-4, atol=1e-5)
    assert steps == [(start, 23) for start in range(0, 23, size)]
