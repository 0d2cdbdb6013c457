"""Models whose weights are not all on one device: the same numbers, gathered on the first block's."""

import copy

import accelerate
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_map
from transformer_lens.model_bridge.sources import build_bridge_from_module

from residscope import Experiment, Trace
from residscope.inputs.reader import Reader
from residscope.models.activations import LiveRun, over_patterns, whole
from residscope.models.edits import Edit, Site
from residscope.models.mixing import record_mixing
from residscope.models.placement import home_of
from residscope.models.recording import record
from residscope.models.terms import Terms
from residscope.models.weights import final_norm, head_weights, logits_of, unembedding
from tests import architectures

PROMPT = "When Mary and John went to the store, John gave a drink to"
FIRST, SECOND = torch.device("cpu"), torch.device("cpu:1")


def split(model, mode):
    """Put all but the first block on another device, in name: fake tensors hold no numbers and never mix devices."""
    moved = [*list(model.blocks)[1:], model.ln_final, model.unembed]
    late = {id(tensor) for part in moved for tensor in (*part.parameters(), *part.buffers())}
    for module in (*model.modules(), *model.original_model.modules()):
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is None or isinstance(tensor, FakeTensor):
                    continue
                fake = FakeTensor(mode, tensor.detach().to("meta"), SECOND if id(tensor) in late else FIRST)
                held[name] = torch.nn.Parameter(fake, requires_grad=False) if held is module._parameters else fake

    def follow(module, args, kwargs):
        there = next(module.parameters()).device
        return tree_map(lambda value: value.to(there) if isinstance(value, torch.Tensor) else value, (args, kwargs))

    for part in moved:
        part.register_forward_pre_hook(follow, with_kwargs=True)
    # The cache of keys and values begins with a tensor of its own.
    model.original_model.config.use_cache = False


@pytest.mark.parametrize("name", ["Llama", "GPT-NeoX", "Phi", "OLMo-2"])
def test_all_that_is_read_of_a_model_on_two_devices_is_gathered_on_the_first_blocks(name):
    model = architectures.build(name)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        split(model, mode)
        assert {parameter.device for parameter in model.parameters()} == {FIRST, SECOND}
        assert home_of(model) == FIRST
        tokens = torch.zeros((2, 7), dtype=torch.long, device=FIRST)
        read = Terms.one_a_row(torch.tensor([6, 4]))
        recording = record(model, tokens, read, keep_patterns=True)
        run = LiveRun(tokens)
        found = [*vars(recording).values(), *over_patterns(model, run, [0, 2], whole).values()]
        for _, mixing in record_mixing(model, run, [0, 2]):
            found += vars(mixing).values()
        for of_weights in (final_norm(model), *(head_weights(model, layer) for layer in range(3))):
            found += vars(of_weights).values()
        found += [*unembedding(model), logits_of(model, recording.resid[3, 0])]
        devices = [value.device for value in found if isinstance(value, torch.Tensor)]
        assert len(devices) > 20
        assert set(devices) == {FIRST}


def offloaded(name):
    """Return a bridge whose weights accelerate fetches for each layer's run alone."""
    model = architectures.hf_model(name)
    accelerate.cpu_offload(model, execution_device=FIRST)
    return build_bridge_from_module(
        model,
        type(model).__name__,
        hf_config=model.config,
        tokenizer=copy.deepcopy(architectures.tokenizer()),
        model_name=name,
    )


@pytest.mark.parametrize("name", ["GPT-2", "Llama", "Gemma-2"])
def test_an_offloaded_model_gives_the_same_numbers_and_is_warned_of(name):
    model = offloaded(name)
    held = [parameter.is_meta for parameter in model.parameters()]
    assert sum(held) > len(held) // 2
    inputs = Reader(model).parse(PROMPT, (" Mary", " John"), None, None)
    trace, whole_one = Trace(model, inputs), Trace(architectures.build(name), inputs)
    torch.testing.assert_close(trace.head_attribution(), whole_one.head_attribution(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(trace.attention(1), whole_one.attention(1), atol=1e-6, rtol=1e-5)
    assert [check.ok for check in (*trace.sum_check(), *trace.layer_check(), *trace.logit_lens(3).checks)] == [True] * 3
    assert trace.warnings[0] == (
        "This model's weights are offloaded, so residscope runs the model itself, not a copy: hooks on it take effect, "
        "and nothing else may run it at the same time."
    )
    assert [parameter.is_meta for parameter in model.parameters()] == held, "no weights stay behind"


@pytest.mark.parametrize("name", ["GPT-2", "Gemma-2"])
def test_an_offloaded_model_is_edited_alike(name):
    offloaded_one = offloaded(name)
    sites = [Site("head", 0, 1), Site("attn", 1), Site("mlp", 1), Site("resid_mid", 2)]
    inputs = Reader(offloaded_one).parse(PROMPT, (" Mary", " John"), None, None)
    edits = [Edit(site, 0.5) for site in sites]
    trace, whole_one = (Trace(model, inputs, edits=edits) for model in (offloaded_one, architectures.build(name)))
    torch.testing.assert_close(trace.logits, whole_one.logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(trace.attention(2), whole_one.attention(2), atol=1e-6, rtol=1e-5)
    assert all(check.ok for check in (*trace.sum_check(), *trace.layer_check()))


def test_an_offloaded_model_is_left_in_the_mode_that_it_was_in():
    model = offloaded("GPT-2")
    for training in (True, False):
        model.train(training)
        Experiment(model, PROMPT).trace.head_attribution()
        assert model.training is training
