"""Random models of real sizes, built offline: what they say means nothing, what they cost is what a real one costs."""

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from benchmarks.scale import Size


def gpt2(size: Size, *, processed: bool = False) -> TransformerBridge:
    """Return a GPT-2 with random weights; processed for those of TransformerLens' tools that refuse raw ones."""
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=size.layers,
        n_head=size.heads,
        n_embd=size.d_model,
        vocab_size=size.d_vocab,
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="eager",
    )
    bridge = build_bridge_from_module(
        GPT2LMHeadModel(config).eval(),
        "GPT2LMHeadModel",
        hf_config=config,
        tokenizer=_tokenizer(size.d_vocab),
        model_name="random GPT-2",
    )
    if processed:
        bridge.enable_compatibility_mode()
    return bridge


def prompt(size: Size, tokens: int, seed: int = 0) -> list[int]:
    """Return random token ids."""
    drawn = torch.randint(1, size.d_vocab, (tokens,), generator=torch.Generator().manual_seed(seed))
    return drawn.tolist()


def _tokenizer(d_vocab: int) -> PreTrainedTokenizerFast:
    words = {"<end>": 0} | {f"word{token}": token for token in range(1, d_vocab)}
    backend = Tokenizer(WordLevel(words, unk_token="<end>"))
    backend.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", pad_token="<end>")
