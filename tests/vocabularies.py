"""Tiny tokenizers of every family, trained in a moment on a few words, and a model for each."""

import functools
import json
import random

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXT = "When Mary and John went to the store and Tom gave Anna a drink the capital of France is Paris London"
WORDS = list(dict.fromkeys(TEXT.split()))
PROMPT = "When Mary and John went to the store and John gave a drink to"
SPECIALS = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _corpus():
    drawn = random.Random(0)
    return [" ".join(drawn.choices(WORDS, k=12)) for _ in range(400)]


def _byte_level():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return made, trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIALS, initial_alphabet=alphabet)


def _sentencepiece(prefix):
    """Like Llama-2's and Phi-3's with a space put in front of each text, like Gemma's without."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    steps = [normalizers.Prepend("▁")] if prefix else []
    made.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    stripped = [decoders.Strip(" ", 1, 0)] if prefix else []
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *stripped])
    return made, trainers.BpeTrainer(vocab_size=440, special_tokens=[*SPECIALS, *BYTES])


def _metaspace():
    """Like Mistral's: a space in front of each text, put there by the pre-tokenizer."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    return made, trainers.BpeTrainer(vocab_size=440, special_tokens=[*SPECIALS, *BYTES])


def _unigram():
    letters = sorted(set("▁".join(WORDS)))
    likely = [(f"▁{word}", -3.0) for word in WORDS]
    made = Tokenizer(models.Unigram([(one, 0.0) for one in SPECIALS] + likely + [(one, -9.0) for one in letters], 0))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.add_special_tokens(SPECIALS)
    return made, None


def _word_level():
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made, trainers.WordLevelTrainer(special_tokens=SPECIALS)


def _word_piece():
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.decoder = decoders.WordPiece()
    return made, trainers.WordPieceTrainer(vocab_size=160, special_tokens=SPECIALS)


_FAMILIES = {
    "byte-level BPE": _byte_level,
    "SentencePiece with a prefix": lambda: _sentencepiece(True),
    "SentencePiece without": lambda: _sentencepiece(False),
    "Metaspace BPE": _metaspace,
    "Unigram": _unigram,
    "WordLevel": _word_level,
    "WordPiece": _word_piece,
}
NAMES = tuple(_FAMILIES)
PREFIXED = ("SentencePiece with a prefix", "Metaspace BPE", "Unigram", "WordPiece")
"""Those whose first token begins with a space that the text does not have."""


@functools.cache
def _trained(name):
    made, trainer = _FAMILIES[name]()
    if trainer is not None:
        trainer.show_progress = False
        made.train_from_iterator(_corpus(), trainer)
    written = json.loads(made.to_str())
    # The trainer can put bytes into a vocabulary only as special tokens, which they are not.
    written["added_tokens"] = [one for one in written["added_tokens"] if one["content"] in SPECIALS]
    return json.dumps(written)


def tokenizer(name):
    """Return a tokenizer of a family, as transformers wraps it."""
    special = dict(zip(("unk_token", "bos_token", "eos_token"), SPECIALS, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(_trained(name)), **special)


def model(size, seed=0):
    """Return a tiny Llama with so many tokens and random weights."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    made = LlamaForCausalLM(LlamaConfig(vocab_size=size, max_position_embeddings=128, **sizes)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made
