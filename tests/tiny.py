"""Tiny random models, built offline in a second, and a plain-torch forward that shares no code with the library.

"demo" stands for the shipped model among them.
"""

import copy
import functools
import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

import residscope

DEMO = Path(residscope.__file__).parent / "data" / "demo"
LAYERS, HEADS, D_MODEL, D_HEAD = 3, 4, 32, 8


@functools.cache
def tokenizer():
    return AutoTokenizer.from_pretrained(DEMO)


def _config(name: str):
    sizes = {"vocab_size": len(tokenizer()), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    if name == "gpt2":
        dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return GPT2Config(n_layer=LAYERS, n_head=HEADS, n_embd=D_MODEL, n_positions=64, **dropout, **sizes)
    return LlamaConfig(
        hidden_size=D_MODEL,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=False,
        attention_bias=name == "llama-bias",
        **sizes,
    )


PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"]
"""Two prompts of different length."""

ARCHITECTURES = ("gpt2", "llama", "llama-bias", "demo")


def hf_model(name: str, seed: int = 0):
    """Return a Hugging Face model with random weights, norms and biases, so that nothing cancels by chance."""
    if name == "demo":
        return LlamaForCausalLM.from_pretrained(DEMO, dtype=torch.float32, attn_implementation="eager").eval()
    torch.manual_seed(seed)
    config = _config(name)
    config._attn_implementation = "eager"
    model = (GPT2LMHeadModel if name == "gpt2" else LlamaForCausalLM)(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            scale = 0.3 if parameter.ndim > 1 else 0.5
            is_norm = "norm" in parameter_name or (".ln_" in parameter_name and "weight" in parameter_name)
            centre = 1.0 if is_norm else 0.0
            parameter.copy_(centre + scale * torch.randn_like(parameter))
    return model


def bridge(name: str, *, processed: bool = False, seed: int = 0) -> TransformerBridge:
    model = hf_model(name, seed)
    made = build_bridge_from_module(
        model,
        type(model).__name__,
        hf_config=model.config,
        tokenizer=copy.deepcopy(tokenizer()),
        model_name=f"tiny-{name}",
    )
    if processed:
        made.enable_compatibility_mode()
    return made


@dataclass
class Forward:
    """One row's plain forward: every activation the tests compare, over all positions."""

    resid: torch.Tensor  # [depth pos d_model]
    patterns: torch.Tensor  # [layer head query key]
    head_parts: torch.Tensor  # [layer head pos d_model], without what does not depend on attention
    value_parts: torch.Tensor  # [layer head pos d_model], the values through W_O, likewise
    attn_bias: torch.Tensor  # [layer d_model]
    mlp: torch.Tensor  # [layer pos d_model]
    embed: torch.Tensor  # [pos d_model]
    pos_embed: torch.Tensor | None
    logits: torch.Tensor  # [pos d_vocab]
    norm: SimpleNamespace  # weight, bias, scale [pos], centred
    W_U: torch.Tensor  # [d_model d_vocab]


def forward(name: str, ids: list[int], seed: int = 0) -> Forward:
    """Compute a tiny model in plain torch, straight from its definition."""
    model = hf_model(name, seed).double()
    weights = {key: parameter.detach() for key, parameter in model.named_parameters()}
    with torch.no_grad():
        return (_gpt2 if name == "gpt2" else _llama)(model, weights, torch.tensor(ids))


def _collect(x, parts, blocks, final_norm, W_U):
    resid, patterns, heads, values, biases, mlps = [x], [], [], [], [], []
    for block in blocks:
        pattern, value_parts, attn_bias, mlp_of = block(x)
        head_parts = pattern @ value_parts
        mid = x + head_parts.sum(0) + attn_bias
        mlp = mlp_of(mid)
        x = mid + mlp
        resid += [mid, x]
        patterns.append(pattern)
        heads.append(head_parts)
        values.append(value_parts)
        biases.append(attn_bias)
        mlps.append(mlp)
    normed, norm = final_norm(x)
    stacked = [torch.stack(part) for part in (resid, patterns, heads, values, biases, mlps)]
    return Forward(*stacked, *parts, normed @ W_U, norm, W_U)


def _causal_softmax(scores):
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -math.inf).softmax(-1)


def _gpt2(model, w, ids):
    def layer_norm(x, prefix):
        return F.layer_norm(x, x.shape[-1:], w[f"{prefix}.weight"], w[f"{prefix}.bias"], 1e-5)

    def block(layer):
        p = f"transformer.h.{layer}"
        W_Q, W_K, W_V = w[f"{p}.attn.c_attn.weight"].split(D_MODEL, 1)
        b_Q, b_K, b_V = w[f"{p}.attn.c_attn.bias"].split(D_MODEL)
        W_O = w[f"{p}.attn.c_proj.weight"].view(HEADS, D_HEAD, D_MODEL)

        def run(x):
            normed, beta = layer_norm(x, f"{p}.ln_1"), w[f"{p}.ln_1.bias"]
            by_head = [t.view(len(x), HEADS, D_HEAD).transpose(0, 1) for t in (normed @ W_Q + b_Q, normed @ W_K + b_K)]
            pattern = _causal_softmax(by_head[0] @ by_head[1].transpose(1, 2) / math.sqrt(D_HEAD))
            value = ((normed - beta) @ W_V).view(len(x), HEADS, D_HEAD).transpose(0, 1)
            constant = (beta @ W_V + b_V) @ w[f"{p}.attn.c_proj.weight"] + w[f"{p}.attn.c_proj.bias"]

            def mlp(mid):
                hidden = layer_norm(mid, f"{p}.ln_2") @ w[f"{p}.mlp.c_fc.weight"] + w[f"{p}.mlp.c_fc.bias"]
                return F.gelu(hidden, approximate="tanh") @ w[f"{p}.mlp.c_proj.weight"] + w[f"{p}.mlp.c_proj.bias"]

            return pattern, value @ W_O, constant, mlp

        return run

    def final_norm(x):
        weight, bias = w["transformer.ln_f.weight"], w["transformer.ln_f.bias"]
        scale = (x.var(-1, unbiased=False) + 1e-5).sqrt()
        centred = (x - x.mean(-1, keepdim=True)) / scale[:, None]
        return centred * weight + bias, SimpleNamespace(weight=weight, bias=bias, scale=scale, centred=True)

    embed, pos = w["transformer.wte.weight"][ids], w["transformer.wpe.weight"][: len(ids)]
    return _collect(
        embed + pos, (embed, pos), [block(i) for i in range(LAYERS)], final_norm, w["transformer.wte.weight"].T
    )


def _llama(model, w, ids):
    config = model.config
    eps, heads, kv_heads, d_head = (
        config.rms_norm_eps,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
    )
    theta = config.rope_parameters["rope_theta"]
    angles = torch.arange(len(ids))[:, None] / theta ** (torch.arange(0, d_head, 2) / d_head)
    cos, sin = torch.cat([angles.cos()] * 2, -1).double(), torch.cat([angles.sin()] * 2, -1).double()

    def rms(x, weight):
        return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight

    def rotate(x):
        half = d_head // 2
        return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin

    def block(layer):
        p = f"model.layers.{layer}"
        W_O = w[f"{p}.self_attn.o_proj.weight"].T.reshape(heads, d_head, config.hidden_size)
        zero = torch.zeros((), dtype=torch.float64)

        def project(x, name, own, bias=True):
            y = x @ w[f"{p}.self_attn.{name}.weight"].T
            y = y + w.get(f"{p}.self_attn.{name}.bias", zero) if bias else y
            return y.view(len(x), own, d_head).transpose(0, 1).repeat_interleave(heads // own, 0)

        def run(x):
            normed = rms(x, w[f"{p}.input_layernorm.weight"])
            query, key = rotate(project(normed, "q_proj", heads)), rotate(project(normed, "k_proj", kv_heads))
            pattern = _causal_softmax(query @ key.transpose(1, 2) / math.sqrt(d_head))
            value = project(normed, "v_proj", kv_heads, bias=False)
            b_V = w.get(f"{p}.self_attn.v_proj.bias", torch.zeros(kv_heads * d_head, dtype=torch.float64))
            b_V = b_V.view(kv_heads, d_head).repeat_interleave(heads // kv_heads, 0)
            constant = torch.einsum("hd,hdm->m", b_V, W_O) + w.get(f"{p}.self_attn.o_proj.bias", zero)

            def mlp(mid):
                inner = rms(mid, w[f"{p}.post_attention_layernorm.weight"])
                gate = F.silu(inner @ w[f"{p}.mlp.gate_proj.weight"].T)
                return (gate * (inner @ w[f"{p}.mlp.up_proj.weight"].T)) @ w[f"{p}.mlp.down_proj.weight"].T

            return pattern, value @ W_O, constant.expand(config.hidden_size), mlp

        return run

    def final_norm(x):
        scale, weight = (x.pow(2).mean(-1) + eps).sqrt(), w["model.norm.weight"]
        return x / scale[:, None] * weight, SimpleNamespace(weight=weight, bias=None, scale=scale, centred=False)

    embed = w["model.embed_tokens.weight"][ids]
    return _collect(
        embed, (embed, None), [block(i) for i in range(config.num_hidden_layers)], final_norm, w["lm_head.weight"].T
    )
