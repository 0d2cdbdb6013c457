"""What heads write, read as tokens, against plain torch."""

import pytest
import torch

import residscope as rs
from residscope.inputs.reader import Reader
from tests import architectures, plain, tiny

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]


def trace_of(model, answers=(" Mary", " John")):
    return rs.Trace(model, Reader(model).parse(PROMPTS, answers, None, None))


@pytest.mark.parametrize("name", tiny.ARCHITECTURES)
def test_the_tokens_are_those_that_the_heads_part_adds_most_to(name):
    trace = trace_of(tiny.bridge(name))
    for row, position in ((0, None), (0, 3), (1, 2)):
        f = tiny.forward(name, list(trace.inputs.tokens[row]))
        at = trace.target.positions[row] if position is None else position
        for layer, head in ((0, 1), (2, 3)):
            part = f.head_parts[layer, head, at]
            part = (part - part.mean() if f.norm.centred else part) * f.norm.weight / f.norm.scale[at]
            logits = part @ f.W_U
            logits = (logits - logits.mean()).float()
            written = trace.head_tokens(layer, head, row, position, k=5)
            torch.testing.assert_close(logits[written.promoted], written.adds, atol=2e-4, rtol=1e-4)
            torch.testing.assert_close(logits[written.suppressed], written.takes, atol=2e-4, rtol=1e-4)
            torch.testing.assert_close(logits.topk(5).values, written.adds, atol=2e-4, rtol=1e-4)
            torch.testing.assert_close((-logits).topk(5).values, -written.takes, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("name", architectures.NAMES)
def test_on_every_architecture_they_are_what_its_modules_make_of_the_part(name):
    trace, own = trace_of(architectures.build(name)), architectures.hf_model(name)
    layer = trace.n_layers - 1
    for row, ids in enumerate(trace.inputs.tokens):
        added = plain.head_logits(own, list(ids))[layer] * plain.kappa(own)
        added = added - added.mean(-1, keepdim=True)
        for head in range(trace.n_heads):
            written = trace.head_tokens(layer, head, row, k=4)
            atol = 1e-4 * float(added.abs().max())
            torch.testing.assert_close(added[head, written.promoted], written.adds, atol=atol, rtol=0)
            torch.testing.assert_close(added[head].topk(4).values, written.adds, atol=atol, rtol=0)
            torch.testing.assert_close(added[head, written.suppressed], written.takes, atol=atol, rtol=0)
            torch.testing.assert_close((-added[head]).topk(4).values, -written.takes, atol=atol, rtol=0)


def test_what_is_not_there_is_refused():
    trace = trace_of(tiny.bridge("llama"))
    for ask, sentence in (
        (lambda: trace.head_tokens(9, 0), "there is no layer 9"),
        (lambda: trace.head_tokens(0, 9), "there is no head 9"),
        (lambda: trace.head_tokens(0, 0, 2), "there is no prompt 2: this run has prompts 0 to 1"),
        (lambda: trace.head_tokens(0, 0, 1, 99), "there is no position 99: this prompt has"),
    ):
        with pytest.raises(IndexError, match=sentence):
            ask()
    with pytest.raises(ValueError, match="k is 1 to"):
        trace.head_tokens(0, 0, k=0)
    hybrid = trace_of(architectures.build("Qwen3.5 (hybrid)"))
    with pytest.raises(IndexError, match="layer 0 has no attention heads"):
        hybrid.head_tokens(0, 0)
