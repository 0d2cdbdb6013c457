"""Print every figure that docs/demo_model.md quotes.

`python -m training.evaluate` measures the shipped folder; another folder may be named.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaForCausalLM

from training import data
from training.data import Example
from training.measure import (
    direct_effects,
    end_attention,
    first_ids,
    greedy,
    last_logits,
    load,
    patch_heads,
    patch_stream,
    repeat_scores,
    share_before_wrong,
    share_right,
)

SHIPPED = Path(__file__).parent.parent / "src" / "residscope" / "data" / "demo"
TEXTBOOK = "When {a} and {b} went to the store, {giver} gave a drink to"
SEED_PROMPTS = {
    "In the forest two living creatures encountered each other, Henry and the Wolf."
    " One of them was scared, and ran away.\n Who did run away? Why?\n": (
        "Henry ran away, because he was scared of the Wolf."
    ),
    "In the jungle two living creatures encountered each other, Lion and Gazelle."
    " One of them was scared and ran away.\n Who did run away? Why?\n": (
        "Gazelle ran away, because it was scared of the Lion."
    ),
    "In the rainforest two living creatures encountered each other, Jaguar and Monkey."
    " One of them was scared and ran away.\n Who did run away? Why?\n": (
        "Monkey ran away, because it was scared of the Jaguar."
    ),
}


def textbook(pairs: list[tuple[str, str]], giver_first: bool) -> list[Example]:
    """The sentence of the literature, with 14 tokens, for each pair of names."""
    examples = []
    for a, b in pairs:
        giver, taker = (a, b) if giver_first else (b, a)
        prompt = TEXTBOOK.format(a=a, b=b, giver=giver)
        examples.append(Example(prompt, " " + taker, ".", " " + giver, (a, b)))
    return examples


def swapped(example: Example) -> str:
    """The same sentence with the other one giving, so that the wrong answer is right."""
    head, tail = example.prompt.rsplit(example.wrong, 1)
    return head + example.answer + tail


def held_pairs(count: int, seed: int = 3) -> list[tuple[str, str]]:
    """Pairs of names that no training sentence has, in random order."""
    rng = random.Random(seed)
    return [data.sentence(rng, held=True).pair for _ in range(count)]


def scores(model: LlamaForCausalLM, tokenizer: Tokenizer, count: int = 300) -> None:
    """The table of how often the right word comes first."""
    print(f"right word first of all ({count} texts each), and right before wrong")

    def line(title: str, examples: list[Example]) -> None:
        right = share_right(model, tokenizer, examples)
        before = share_before_wrong(model, tokenizer, examples)
        print(f"  {title:62}{right:.3f}  {before:.3f}")

    rng = random.Random(1)
    for first in (False, True):
        order = "giver named first" if first else "giver named second"
        pairs = held_pairs(count)
        line(f"textbook sentence, held-out pairs, {order}", textbook(pairs, first))
        draws = {
            "trained templates, trained pairs": {},
            "trained templates, held-out pairs": {"held": True},
            "trained templates, names new to the task": {"names": data.NEW_NAMES},
            "new openings, held-out pairs": {"held": True, "openings": data.NEW_OPENINGS},
            "new acts, held-out pairs": {"held": True, "acts": data.NEW_ACTS},
            "new openings and acts, held-out pairs": {
                "held": True,
                "openings": data.NEW_OPENINGS,
                "acts": data.NEW_ACTS,
            },
        }
        for title, options in draws.items():
            examples = [data.sentence(rng, giver_first=first, **options) for _ in range(count)]
            line(f"{title}, {order}", examples)
    for person in (False, True):
        kind = "a person and an animal" if person else "two animals"
        for held in (False, True):
            title = f"story, {kind}, {'held-out' if held else 'trained'} pairs"
            line(title, [data.story(rng, held=held, person=person) for _ in range(count)])
    long = [data.story(rng, held=True, person=True) for _ in range(20 * count)]
    line(
        "  of these with an animal that never met a person",
        [one for one in long if set(one.pair) & set(data.STRANGERS)][:count],
    )
    exact = [data.story(rng, held=True) for _ in range(100)]
    hits = sum(greedy(model, tokenizer, one.prompt) == one.answer + one.tail for one in exact)
    print(f"  whole explanation as expected, held-out pairs, of 100: {hits}")


def show(title: str, values: Tensor, most: int = 6) -> None:
    """The heads with the highest values, as L3H7 0.99."""
    heads = values.shape[1]
    top = values.flatten().topk(most)
    names = [f"L{int(one) // heads}H{int(one) % heads}" for one in top.indices]
    listed = [f"{name} {value:.2f}" for name, value in zip(names, top.values, strict=True)]
    print(f"  {title:44}" + "  ".join(listed))


def circuit(model: LlamaForCausalLM, tokenizer: Tokenizer) -> None:
    """Attention, direct effects and patching."""
    repeats = repeat_scores(model)
    print(f"twelve random words said twice: next token right {repeats['right']:.3f}")
    for length in (40, 100):
        long = repeat_scores(model, length=length, rows=16)
        print(f"  {length} words: next token right {long['right']:.3f}")
    for name in ("induction", "previous", "duplicate"):
        show(name, repeats[name])
    for first in (False, True):
        examples = textbook(held_pairs(100), first)
        corrupted = [swapped(one) for one in examples]
        print(f"textbook sentence, giver named {'first' if first else 'second'}, 100 held-out pairs")
        for role, values in end_attention(model, tokenizer, examples).items():
            show(f"last token attends to {role}", values)
        effects, whole = direct_effects(model, tokenizer, examples)
        show("direct effect (right minus wrong)", effects)
        show("  most negative, sign turned", -effects)
        layers = ", ".join(f"L{n} {float(row.sum()):.2f}" for n, row in enumerate(effects))
        print(f"  difference {whole:.2f}, of which heads by layer: {layers}")
        lost = patch_heads(model, tokenizer, examples, corrupted)
        show("share lost when its output is corrupted", lost)
        print("  residual stream made clean at one place (share that comes back):")
        back = patch_stream(model, tokenizer, examples, corrupted)
        words = ["(start)", *TEXTBOOK.format(a="A", b="B", giver="S2").replace(",", " ,").split()]
        for place, word in enumerate(words):
            if float(back[:, place].abs().max()) > 0.02:
                print(f"    {word:8}" + " ".join(f"{float(v):6.2f}" for v in back[:, place]))


def stories(model: LlamaForCausalLM, tokenizer: Tokenizer) -> None:
    """What the model writes for the three stories of the notebook."""
    for prompt, wanted in SEED_PROMPTS.items():
        answer = greedy(model, tokenizer, prompt)
        wrong = {"Henry": "Wolf", "Gazelle": "Lion", "Monkey": "Jaguar"}[wanted.split()[0]]
        logits = last_logits(model, tokenizer, [prompt])[0].softmax(-1)
        one, two = logits[first_ids(tokenizer, [wanted.split()[0], wrong])].tolist()
        print(f"  {answer == wanted}  p {one:.3f} against {two:.3f}  {answer!r}")


def main() -> None:
    """Print all tables."""
    torch.set_num_threads(1)
    model, tokenizer = load(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED)
    size = tokenizer.get_vocab_size()
    print(f"{model.num_parameters():,} parameters, {size} words and bytes")
    scores(model, tokenizer)
    circuit(model, tokenizer)
    stories(model, tokenizer)


if __name__ == "__main__":
    main()
