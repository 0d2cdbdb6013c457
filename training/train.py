"""Train the demo model: repeats alone until an induction head has formed, then the two tasks.

`python -m training.train --out FOLDER` writes the model folder and the recorded curve; README.md
says how long that takes and why it is done in this order.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from training import data
from training.measure import both_forms, load, repeat_scores, share_right

ANSWER_WEIGHT = 10.0
PROMPT_WEIGHT = 0.3
REPEAT_SHARE = 0.15
CHECK_EVERY = 100
LOOKING_HEAD = (3, 0)
LOOK_WEIGHT = 0.05


@dataclass(frozen=True)
class Row:
    """Token ids, how much the loss on each counts, and in a sentence from where to look where."""

    ids: list[int]
    weights: list[float]
    look: tuple[int, int] | None = None


def new_model(vocab_size: int) -> LlamaForCausalLM:
    """An untrained model; rotary positions, since learned ones form induction heads slowly."""
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config)


class Batches:
    """Draws the rows of each update: token ids, and how much the loss on each of them counts."""

    def __init__(self, tokenizer: Tokenizer, seed: int) -> None:
        """Keep the tokenizer and seed the draw."""
        self.tokenizer = tokenizer
        self.size = tokenizer.get_vocab_size()
        self.rng = random.Random(seed)
        spaced = (word[1:] for word in sorted(tokenizer.get_vocab()) if word[0] == "Ġ")
        self.words = [word for word in spaced if word.isalpha() and word not in data.NAMES]

    def repeats(self, length: int = 48, longest: int = 24) -> Row:
        """Random tokens over and over; only what can be known from before counts."""
        period = self.rng.randint(3, longest)
        once = [self.rng.randrange(1, self.size) for _ in range(period)]
        ids = (once * (length // period + 1))[: length - 1]
        return Row([0, *ids], [0.0] * (1 + period) + [1.0] * (length - 1 - period))

    def document(self) -> Row:
        """One text of the tasks, with the start token nine times of ten."""
        kind = self.rng.choices(("sentence", "story", "filler"), (0.46, 0.48, 0.06))[0]
        if kind == "filler":
            example = data.Example("", "", data.filler(self.rng))
        elif kind == "story":
            example = data.story(self.rng)
        elif self.rng.random() < 0.05:
            example = data.Example("", "", data.third_giver(self.rng))
        elif self.rng.random() < 0.4:
            # Any two words for the names, so that copying what stands there is worth more than
            # knowing the names by heart.
            example = data.sentence(self.rng, names=self.words, openings=data.INNER_OPENINGS)
        else:
            example = data.sentence(self.rng, short=self.rng.random() < 0.3)
        ids = [0] if self.rng.random() < 0.9 else []
        weights = [0.0] * len(ids)
        parts = (
            (example.prompt, PROMPT_WEIGHT),
            (example.answer, ANSWER_WEIGHT),
            (example.tail, 1.0),
        )
        for text, weight in parts:
            new = self.tokenizer.encode(text).ids
            ids += new
            weights += [weight] * len(new)
        look = None
        if kind == "sentence" and example.answer:
            forms = both_forms(self.tokenizer, example.answer)
            look = (len(ids) - 3, next(place for place, one in enumerate(ids) if one in forms))
        return Row([*ids, 0], [*weights, PROMPT_WEIGHT], look)

    def joined(self, length: int = 220) -> Row:
        """Several texts in one long row, for positions that no single text reaches."""
        ids: list[int] = []
        weights: list[float] = []
        while len(ids) < length:
            row = self.document()
            ids += row.ids
            weights += row.weights
        return Row(ids[:length], weights[:length])

    def rows(self, phase: int, update: int) -> list[list[Row]]:
        """The rows of an update in groups of like length, so that little of them is padding."""
        if phase == 1:
            return [[self.repeats() for _ in range(32)]]
        if update % 12 == 11:
            long = [self.joined() for _ in range(6)]
            return [[*long, self.repeats(220, 100), self.repeats(220, 100)]]
        draw = [self.repeats() if self.rng.random() < REPEAT_SHARE else self.document() for _ in range(40)]
        draw.sort(key=lambda row: len(row.ids))
        return [draw[:20], draw[20:]]


def tensors(rows: list[Row]) -> tuple[Tensor, Tensor]:
    """Ids and weights, filled up on the right with what does not count."""
    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in rows])
    weights = torch.tensor([row.weights + [0.0] * (width - len(row.ids)) for row in rows])
    return ids, weights


def step(model: LlamaForCausalLM, groups: list[list[Row]]) -> float:
    """Accumulate the gradient over all groups; returns the weighted mean loss.

    The looking head has a small loss of its own: how little it attends from the last token of a
    sentence to the right name. Without it the model answers well and no head does that.
    """
    total = sum(sum(row.weights[1:]) for group in groups for row in group)
    layer, head = LOOKING_HEAD
    loss_sum = 0.0
    for group in groups:
        ids, weights = tensors(group)
        looks = [(number, *row.look) for number, row in enumerate(group) if row.look]
        output = model(ids, output_attentions=bool(looks))
        losses = functional.cross_entropy(output.logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
        loss = (losses * weights[:, 1:]).sum() / total
        if looks:
            row, end, name = torch.tensor(looks).T
            seen = output.attentions[layer][row, head, end, name]
            loss = loss - LOOK_WEIGHT * seen.clamp_min(1e-6).log().mean()
        loss.backward()
        loss_sum += loss.item()
    return loss_sum


def save(model: LlamaForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the folder that transformers and TransformerLens load, weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    half = new_model(tokenizer.get_vocab_size())
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"))
    # Without the class name, transformers may pick one that drops `ignore_merges` unnoticed.
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": data.EOT,
        "eos_token": data.EOT,
        "pad_token": data.EOT,
        "unk_token": data.EOT,
        "model_max_length": 256,
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def check(model: LlamaForCausalLM, tokenizer: Tokenizer) -> tuple[float, float, float, float]:
    """Best induction score, repeats right, held-out sentences right, held-out stories right."""
    rng = random.Random(11)
    sentences = [data.sentence(rng, held=True) for _ in range(100)]
    stories = [data.story(rng, held=True) for _ in range(100)]
    scores = repeat_scores(model)
    shares = [share_right(model, tokenizer, examples) for examples in (sentences, stories)]
    return float(scores["induction"].max()), scores["right"], shares[0], shares[1]


def run_phase(
    phase: int,
    updates: int,
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    seed: int,
    folder: Path,
    curve: Path,
) -> None:
    """Train for so many updates at most, adding a line to the curve after each hundred."""
    batches = Batches(tokenizer, seed)
    peak = {1: 2e-3, 2: 1.5e-3}[phase]
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.01)
    for index in range(updates):
        rate = peak * min(1.0, (index + 1) / 100)
        rate *= 0.53 + 0.47 * math.cos(math.pi * index / updates)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = step(model, batches.rows(phase, index))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (index + 1) % CHECK_EVERY and index + 1 < updates:
            continue
        head, repeats, sentences, stories = check(model, tokenizer)
        line = [phase, index + 1, f"{loss:.4f}", f"{time.process_time():.0f}"]
        line += [f"{head:.3f}", f"{repeats:.3f}", f"{sentences:.2f}", f"{stories:.2f}"]
        with curve.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(line)
        print(*line, flush=True)
        if phase == 1 and head > 0.8 and repeats > 0.9:
            break
    save(model, tokenizer, folder)


def train(out: Path, curve: Path, seed: int, most_first: int, second: int) -> None:
    """Run both phases; the second starts from the file that the first has written."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    tokenizer = data.build_tokenizer()
    model = new_model(tokenizer.get_vocab_size())
    columns = "phase,update,loss,cpu_seconds,induction,repeats_right,sentences_right,stories_right"
    curve.write_text(columns + "\n")
    run_phase(1, most_first, model, tokenizer, seed, out / "phase1", curve)
    model, _ = load(out / "phase1")
    run_phase(2, second, model.train(), tokenizer, seed, out, curve)


def main() -> None:
    """Read the command line and train."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument("--curve", type=Path, default=here / "curve.csv")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-first", type=int, default=3500, help="at most, in phase 1")
    parser.add_argument("--second", type=int, default=4500, help="updates of phase 2")
    options = parser.parse_args()
    train(options.out, options.curve, options.seed, options.most_first, options.second)


if __name__ == "__main__":
    main()
