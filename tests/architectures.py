"""Tiny random models of the decoder architectures people study, built offline."""

import copy

import torch
import transformers as hf
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module

from tests.tiny import tokenizer

LAYERS, HEADS, WIDTH, LONGEST = 3, 4, 32, 64


def _gpt(kind, **more):
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return kind(n_layer=LAYERS, n_head=HEADS, n_embd=WIDTH, n_positions=LONGEST, **dropout, **_tokens(), **more)


def _tokens():
    return {"vocab_size": len(tokenizer()), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}


def _stack(kind, **more):
    sizes = {
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
        "max_position_embeddings": LONGEST,
    }
    return kind(**{**sizes, **_tokens(), **more})


def _configs():
    local = {"head_dim": 8, "sliding_window": 4}
    experts = {"num_local_experts": 3, "num_experts_per_tok": 2}
    gemma = {**local, "query_pre_attn_scalar": 8, "pad_token_id": 0}
    opt = {"ffn_dim": 48, "word_embed_proj_dim": WIDTH, "dropout": 0.0, "pad_token_id": 1, "num_key_value_heads": HEADS}
    bloom = {"hidden_dropout": 0.0, "attention_dropout": 0.0}
    granite = {
        "embedding_multiplier": 2.0,
        "residual_multiplier": 0.5,
        "logits_scaling": 8.0,
        "attention_multiplier": 0.3,
    }
    mixer = {f"linear_{name}": 8 for name in ("key_head_dim", "value_head_dim")}
    mixer |= {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "head_dim": 8}
    mixer |= {"layer_types": ["linear_attention", "linear_attention", "full_attention"]}
    return {
        "GPT-2": (hf.GPT2LMHeadModel, _gpt(hf.GPT2Config)),
        "GPT-J": (hf.GPTJForCausalLM, _gpt(hf.GPTJConfig, rotary_dim=4)),
        "GPT-NeoX": (hf.GPTNeoXForCausalLM, _stack(hf.GPTNeoXConfig, num_key_value_heads=HEADS)),
        "OPT": (hf.OPTForCausalLM, _stack(hf.OPTConfig, **opt)),
        "BLOOM": (
            hf.BloomForCausalLM,
            hf.BloomConfig(hidden_size=WIDTH, n_layer=LAYERS, n_head=HEADS, **bloom, **_tokens()),
        ),
        "Llama": (hf.LlamaForCausalLM, _stack(hf.LlamaConfig, tie_word_embeddings=False)),
        "Mistral": (hf.MistralForCausalLM, _stack(hf.MistralConfig, sliding_window=4)),
        "Qwen2": (hf.Qwen2ForCausalLM, _stack(hf.Qwen2Config)),
        "Qwen3": (hf.Qwen3ForCausalLM, _stack(hf.Qwen3Config, head_dim=8)),
        "Phi": (hf.PhiForCausalLM, _stack(hf.PhiConfig, num_key_value_heads=HEADS, pad_token_id=0)),
        "Phi-3": (hf.Phi3ForCausalLM, _stack(hf.Phi3Config, pad_token_id=0)),
        "Gemma-2": (hf.Gemma2ForCausalLM, _stack(hf.Gemma2Config, **gemma)),
        "Gemma-3": (hf.Gemma3ForCausalLM, _stack(hf.Gemma3TextConfig, **gemma)),
        "OLMo-2": (hf.Olmo2ForCausalLM, _stack(hf.Olmo2Config, pad_token_id=0)),
        "Mixtral": (hf.MixtralForCausalLM, _stack(hf.MixtralConfig, **experts)),
        "Granite": (hf.GraniteForCausalLM, _stack(hf.GraniteConfig, **granite)),
        "Cohere": (hf.CohereForCausalLM, _stack(hf.CohereConfig, logit_scale=0.0625, pad_token_id=0)),
        "gpt-oss": (hf.GptOssForCausalLM, _stack(hf.GptOssConfig, **local, **experts)),
        "Qwen3.5 (hybrid)": (hf.Qwen3_5ForCausalLM, _stack(hf.Qwen3_5TextConfig, **mixer)),
    }


NAMES = tuple(_configs())


def build(
    name: str,
    *,
    processed: bool = False,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    attention: str = "eager",
    **settings: object,
) -> TransformerBridge:
    """Return a bridge with random weights, norm weights and biases, so that nothing cancels by chance.

    `settings` are of the Hugging Face config.
    """
    model = hf_model(name, seed=seed, attention=attention, **settings).to(dtype)
    made = build_bridge_from_module(
        model,
        type(model).__name__,
        hf_config=model.config,
        tokenizer=copy.deepcopy(tokenizer()),
        model_name=name,
    )
    if processed:
        made.enable_compatibility_mode()
    return made


def hf_model(name: str, *, seed: int = 0, attention: str = "eager", **settings: object) -> torch.nn.Module:
    """Return the Hugging Face model that a bridge is built on."""
    kind, config = _configs()[name]
    for setting, value in settings.items():
        setattr(config, setting, value)
    config._attn_implementation = attention
    torch.manual_seed(seed)
    model = kind(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            is_norm = "weight" in key and ("norm" in key or ".ln" in key) and not name.startswith("Gemma")
            parameter.copy_(float(is_norm) + (0.3 if parameter.ndim > 1 else 0.4) * torch.randn_like(parameter))
    return model
