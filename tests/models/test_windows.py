"""Each layer's window is what its mask does: exact zeros beyond it, and weight on its last token."""

import copy

import pytest
import torch
import transformers as hf
from transformer_lens.model_bridge.sources import build_bridge_from_module

from residscope.models.activations import LiveRun, over_patterns, whole
from residscope.models.windows import Window, windows_of
from tests import architectures, tiny

LENGTH = 20
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "vocab_size": 50,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


def bridge(kind, config):
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    return build_bridge_from_module(
        kind(config).eval(), kind.__name__, hf_config=config, tokenizer=copy.deepcopy(tiny.tokenizer()), model_name="x"
    )


def assert_masks_as_said(model):
    """Compare what is said of each layer with the weights it gives on a prompt longer than any window."""
    windows = windows_of(model)
    layers = [layer for layer, block in enumerate(model.blocks) if hasattr(block, "attn")]
    weights = over_patterns(model, LiveRun(torch.arange(3, 3 + LENGTH)[None]), layers, whole)
    query, key = torch.arange(LENGTH)[:, None], torch.arange(LENGTH)[None]
    for layer, window in enumerate(windows):
        if layer not in layers:
            assert window is None
            continue
        seen = query >= key
        if window is not None:
            assert window.size < LENGTH
            near = query // window.size == key // window.size if window.chunked else query - key < window.size
            seen = seen & near
        assert torch.equal((weights[layer][0] > 0).any(0), seen), f"layer {layer}: {window}"
    return windows


@pytest.mark.parametrize("processed", [False, True], ids=["raw", "processed"])
@pytest.mark.parametrize("name", ["Mistral", "Gemma-2", "gpt-oss"])
def test_what_is_said_of_local_layers_is_what_their_masks_do(name, processed):
    windows = assert_masks_as_said(architectures.build(name, processed=processed))
    local = Window(4)
    assert windows == ((local, local, local) if name == "Mistral" else (local, None, local))


@pytest.mark.parametrize("name", [n for n in architectures.NAMES if n not in ("Mistral", "Gemma-2", "gpt-oss")])
def test_of_every_other_architecture_as_well(name):
    assert_masks_as_said(architectures.build(name))


def test_qwen2_is_local_from_the_layer_its_config_names():
    config = hf.Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=5, max_window_layers=3)
    assert assert_masks_as_said(bridge(hf.Qwen2ForCausalLM, config)) == (None, None, None, Window(5))


def test_phi_3_is_local_in_every_layer_when_it_has_a_window():
    config = hf.Phi3Config(**SIZES, sliding_window=6)
    assert assert_masks_as_said(bridge(hf.Phi3ForCausalLM, config)) == (Window(6),) * 4


def test_gemma_3_mixes_local_and_global_layers():
    kinds = ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]
    more = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 4, "layer_types": kinds}
    windows = assert_masks_as_said(bridge(hf.Gemma3ForCausalLM, hf.Gemma3TextConfig(**SIZES, **more)))
    assert windows == (Window(4), Window(4), Window(4), None)


def test_gpt_neo_calls_its_windows_local_layers():
    config = hf.GPTNeoConfig(
        vocab_size=50,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        max_position_embeddings=64,
        window_size=7,
        attention_types=[[["global", "local"], 1]],
    )
    assert assert_masks_as_said(bridge(hf.GPTNeoForCausalLM, config)) == (None, Window(7))


def test_llama_4_looks_back_to_the_beginning_of_its_chunk():
    more = {"head_dim": 8, "intermediate_size_mlp": 48, "num_local_experts": 2, "moe_layers": []}
    config = hf.Llama4TextConfig(**SIZES, **more, attention_chunk_size=8, no_rope_layers=[1, 1, 1, 0])
    chunk = Window(8, chunked=True)
    assert assert_masks_as_said(bridge(hf.Llama4ForCausalLM, config)) == (chunk, chunk, chunk, None)


def test_a_window_that_only_the_config_names_is_none():
    model = bridge(hf.LlamaForCausalLM, hf.LlamaConfig(**SIZES, sliding_window=4))
    assert model.original_model.config.sliding_window == 4
    assert assert_masks_as_said(model) == (None,) * 4
