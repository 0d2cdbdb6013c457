"""What is measured on the demo model, in plain torch and transformers.

The training script, evaluate.py and the test of the shipped file all take their figures from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaForCausalLM

from training.data import Example


def load(folder: Path) -> tuple[LlamaForCausalLM, Tokenizer]:
    """The model in float32, with attention patterns that can be read, and its tokenizer."""
    model = LlamaForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


def padded(tokenizer: Tokenizer, texts: list[str]) -> tuple[Tensor, Tensor]:
    """Ids with the start token, filled up on the right, and where each text ends.

    The filling needs no mask: attention only looks back.
    """
    rows = [[0, *tokenizer.encode(text).ids] for text in texts]
    width = max(len(row) for row in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    return ids, torch.tensor([len(row) - 1 for row in rows])


def first_ids(tokenizer: Tokenizer, words: list[str]) -> Tensor:
    """The id of the first token of each word."""
    return torch.tensor([tokenizer.encode(word).ids[0] for word in words])


@torch.no_grad()
def last_logits(model: LlamaForCausalLM, tokenizer: Tokenizer, texts: list[str], batch: int = 100) -> Tensor:
    """The logits of the word after each text."""
    parts = []
    for start in range(0, len(texts), batch):
        ids, last = padded(tokenizer, texts[start : start + batch])
        parts.append(model(ids).logits[torch.arange(len(ids)), last])
    return torch.cat(parts)


def share_right(model: LlamaForCausalLM, tokenizer: Tokenizer, examples: list[Example]) -> float:
    """How often the right answer is the first of all words."""
    top = last_logits(model, tokenizer, [example.prompt for example in examples]).argmax(-1)
    right = first_ids(tokenizer, [example.answer for example in examples])
    return float((top == right).float().mean())


def share_before_wrong(model: LlamaForCausalLM, tokenizer: Tokenizer, examples: list[Example]) -> float:
    """How often the right answer comes before the wrong one, whatever else is first."""
    logits = last_logits(model, tokenizer, [example.prompt for example in examples])
    every = torch.arange(len(examples))
    right = first_ids(tokenizer, [example.answer for example in examples])
    wrong = first_ids(tokenizer, [example.wrong for example in examples])
    return float((logits[every, right] > logits[every, wrong]).float().mean())


@torch.no_grad()
def greedy(model: LlamaForCausalLM, tokenizer: Tokenizer, prompt: str, most: int = 20) -> str:
    """The most probable continuation, up to the end token."""
    ids = [0, *tokenizer.encode(prompt).ids]
    start = len(ids)
    while len(ids) < start + most:
        following = int(model(torch.tensor([ids])).logits[0, -1].argmax())
        if following == 0:
            break
        ids.append(following)
    return str(tokenizer.decode(ids[start:]))


@torch.no_grad()
def repeat_scores(model: LlamaForCausalLM, seed: int = 5, length: int = 12, rows: int = 32) -> dict[str, Any]:
    """Scores of every head on words drawn at random and said twice; tensors of (layer, head).

    `induction`: attention from a word's second place to the one after its first; `duplicate`: to
    the first place itself; `previous`: to the word before. `right`: next-token accuracy.
    """
    generator = torch.Generator().manual_seed(seed)
    size = model.config.vocab_size
    once = torch.randint(257, size, (rows, length), generator=generator)
    ids = torch.cat([torch.zeros(rows, 1, dtype=torch.long), once, once], dim=1)
    output = model(ids, output_attentions=True)
    patterns = torch.stack(output.attentions)
    second = torch.arange(length + 1, 2 * length + 1)
    later = torch.arange(1, 2 * length + 1)
    # The last word of the first round has no successor there other than the second round itself.
    guesses = output.logits[:, length + 1 : -1].argmax(-1)
    return {
        "induction": patterns[:, :, :, second, second - length + 1].mean((1, 3)),
        "duplicate": patterns[:, :, :, second, second - length].mean((1, 3)),
        "previous": patterns[:, :, :, later, later - 1].mean((1, 3)),
        "right": float((guesses == ids[:, length + 2 :]).float().mean()),
    }


@torch.no_grad()
def end_attention(model: LlamaForCausalLM, tokenizer: Tokenizer, examples: list[Example]) -> dict[str, Tensor]:
    """Mean attention of the last token on the right name and on the giver, first and second."""
    ids, last = padded(tokenizer, [example.prompt for example in examples])
    patterns = torch.stack(model(ids, output_attentions=True).attentions)
    every = torch.arange(len(examples))
    at_end = patterns[:, every, :, last]  # (example, layer, head, key)
    places: dict[str, list[int]] = {"right": [], "giver_first": [], "giver_second": []}
    for row, example in zip(ids.tolist(), examples, strict=True):
        right, giver = (
            [place for place, one in enumerate(row) if one in both_forms(tokenizer, name)]
            for name in (example.answer, example.wrong)
        )
        places["right"].append(right[0])
        places["giver_first"].append(giver[0])
        places["giver_second"].append(giver[-1])
    means = {role: at_end[every, :, :, torch.tensor(where)].mean(0) for role, where in places.items()}
    return means | {"start": at_end[:, :, :, 0].mean(0)}


def both_forms(tokenizer: Tokenizer, name: str) -> set[int]:
    """The ids of a name with and without a space before it."""
    bare = name.strip()
    return {tokenizer.encode(form).ids[0] for form in (bare, " " + bare)}


@contextmanager
def hooked(pairs: list[tuple[torch.nn.Module, Any]]) -> Iterator[None]:
    """Forward pre-hooks for the time of a with block."""
    handles = [module.register_forward_pre_hook(hook) for module, hook in pairs]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def head_inputs(model: LlamaForCausalLM, ids: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The residual stream before the final norm, and what each layer's heads hand to `o_proj`."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
            kept[name] = inputs[0]

        return hook

    layers = model.model.layers
    pairs = [(layer.self_attn.o_proj, keep(str(n))) for n, layer in enumerate(layers)]
    with hooked([*pairs, (model.model.norm, keep("final"))]):
        model(ids)
    return kept["final"], [kept[str(n)] for n in range(len(layers))]


@torch.no_grad()
def direct_effects(model: LlamaForCausalLM, tokenizer: Tokenizer, examples: list[Example]) -> tuple[Tensor, float]:
    """What each head's output alone adds to right minus wrong, the final norm's scale as it was.

    Returns a tensor of (layer, head), mean over the examples, and the mean of the whole difference.
    """
    ids, last = padded(tokenizer, [example.prompt for example in examples])
    every = torch.arange(len(examples))
    final, inputs = head_inputs(model, ids)
    scale = (final.pow(2).mean(-1) + model.config.rms_norm_eps).rsqrt()[every, last]
    right = first_ids(tokenizer, [example.answer for example in examples])
    wrong = first_ids(tokenizer, [example.wrong for example in examples])
    out = model.lm_head.weight
    direction = (out[right] - out[wrong]) * model.model.norm.weight * scale[:, None]
    heads = model.config.num_attention_heads
    effects = []
    for layer, given in zip(model.model.layers, inputs, strict=True):
        split = given[every, last].unflatten(-1, (heads, -1))
        weight = layer.self_attn.o_proj.weight.unflatten(1, (heads, -1))
        written = torch.einsum("ehz,dhz->ehd", split, weight)
        effects.append(torch.einsum("ehd,ed->h", written, direction) / len(examples))
    whole = (final[every, last] * direction).sum(-1).mean()
    return torch.stack(effects), float(whole)


def difference(model: LlamaForCausalLM, ids: Tensor, last: Tensor, right: Tensor, wrong: Tensor) -> float:
    """Mean logit of the right word minus that of the wrong one."""
    every = torch.arange(len(ids))
    logits = model(ids).logits[every, last]
    return float((logits[every, right] - logits[every, wrong]).mean())


@torch.no_grad()
def patch_stream(model: LlamaForCausalLM, tokenizer: Tokenizer, clean: list[Example], corrupted: list[str]) -> Tensor:
    """Share of the answer that comes back when one place of one layer's input is the clean one.

    All texts must have the same length. Returns a tensor of (layer, position).
    """
    texts = [example.prompt for example in clean]
    ids, last = padded(tokenizer, texts)
    broken, _ = padded(tokenizer, corrupted)
    right = first_ids(tokenizer, [example.answer for example in clean])
    wrong = first_ids(tokenizer, [example.wrong for example in clean])
    states = model(ids, output_hidden_states=True).hidden_states
    high = difference(model, ids, last, right, wrong)
    low = difference(model, broken, last, right, wrong)
    result = torch.zeros(len(model.model.layers), ids.shape[1])
    for number, layer in enumerate(model.model.layers):
        for place in range(ids.shape[1]):

            def hook(
                _module: torch.nn.Module,
                inputs: tuple[Tensor, ...],
                source: Tensor = states[number],
                place: int = place,
            ) -> tuple[Tensor, ...]:
                changed = inputs[0].clone()
                changed[:, place] = source[:, place]
                return (changed, *inputs[1:])

            with hooked([(layer, hook)]):
                now = difference(model, broken, last, right, wrong)
            result[number, place] = (now - low) / (high - low)
    return result


@torch.no_grad()
def patch_heads(model: LlamaForCausalLM, tokenizer: Tokenizer, clean: list[Example], corrupted: list[str]) -> Tensor:
    """Share of the answer lost when one head's output at the last token is the corrupted one."""
    ids, last = padded(tokenizer, [example.prompt for example in clean])
    broken, _ = padded(tokenizer, corrupted)
    right = first_ids(tokenizer, [example.answer for example in clean])
    wrong = first_ids(tokenizer, [example.wrong for example in clean])
    _, other = head_inputs(model, broken)
    high = difference(model, ids, last, right, wrong)
    low = difference(model, broken, last, right, wrong)
    heads, size = model.config.num_attention_heads, model.config.head_dim
    result = torch.zeros(len(model.model.layers), heads)
    for number, layer in enumerate(model.model.layers):
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)

            def hook(
                _module: torch.nn.Module,
                inputs: tuple[Tensor, ...],
                source: Tensor = other[number],
                part: slice = part,
            ) -> tuple[Tensor, ...]:
                changed = inputs[0].clone()
                changed[:, -1, part] = source[:, -1, part]
                return (changed, *inputs[1:])

            with hooked([(layer.self_attn.o_proj, hook)]):
                now = difference(model, ids, last, right, wrong)
            result[number, head] = (high - now) / (high - low)
    return result
