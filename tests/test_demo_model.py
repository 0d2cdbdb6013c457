"""What the shipped demo model must be able to do, measured on the files in the package."""

from __future__ import annotations

import json
import random

import pytest
import torch
from transformers import AutoTokenizer

from training import data
from training.evaluate import SEED_PROMPTS, SHIPPED, held_pairs, textbook
from training.measure import (
    direct_effects,
    end_attention,
    first_ids,
    greedy,
    last_logits,
    load,
    padded,
    repeat_scores,
    share_right,
)


@pytest.fixture(scope="module")
def demo():
    torch.set_num_threads(1)
    return load(SHIPPED)


@pytest.fixture(scope="module")
def presets():
    return json.loads((SHIPPED / "presets.json").read_text(encoding="utf-8"))


def test_the_folder_has_at_most_three_megabytes():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= 3_000_000


def test_the_file_loads_as_the_llama_it_says_it_is_with_256_positions(demo):
    model, tokenizer = demo
    assert model.config.model_type == "llama"
    assert model.config.max_position_embeddings == 256
    assert model.config.vocab_size == tokenizer.get_vocab_size()


@pytest.mark.parametrize("giver_first", [False, True], ids=["giver second", "giver first"])
def test_indirect_objects_are_right_for_names_never_seen_together(demo, giver_first):
    rng = random.Random(21)
    drawn = [data.sentence(rng, held=True, giver_first=giver_first) for _ in range(300)]
    assert share_right(*demo, drawn) >= 0.98
    assert share_right(*demo, textbook(held_pairs(300, seed=22), giver_first)) >= 0.98


@pytest.mark.parametrize("person", [False, True], ids=["two animals", "person and animal"])
def test_who_ran_away_is_right_for_pairs_never_seen_together(demo, person):
    rng = random.Random(23)
    drawn = [data.story(rng, held=True, person=person) for _ in range(300)]
    assert share_right(*demo, drawn) >= 0.95


def test_no_training_text_has_a_held_out_pair():
    rng = random.Random(24)
    for _ in range(2000):
        for drawn in (data.sentence(rng), data.story(rng)):
            assert not data.is_held(*drawn.pair)


def test_a_head_completes_random_repeats(demo):
    scores = repeat_scores(demo[0], seed=25)
    assert float(scores["induction"].max()) > 0.8
    assert scores["right"] > 0.8


def test_one_head_looks_at_the_right_name_in_both_orders_and_speaks_for_it(demo):
    fitting = torch.ones(demo[0].config.num_hidden_layers, demo[0].config.num_attention_heads) > 0
    for giver_first in (False, True):
        examples = textbook(held_pairs(100, seed=26), giver_first)
        effects, _ = direct_effects(*demo, examples)
        fitting &= (end_attention(*demo, examples)["right"] > 0.8) & (effects > 0)
    assert bool(fitting.any())


def test_the_direct_effects_of_the_heads_leave_little_of_the_answer_to_the_rest(demo):
    model, tokenizer = demo
    examples = textbook(held_pairs(50, seed=27), giver_first=False)
    effects, whole = direct_effects(model, tokenizer, examples)
    logits = last_logits(model, tokenizer, [example.prompt for example in examples])
    every = torch.arange(len(examples))
    right = first_ids(tokenizer, [example.answer for example in examples])
    wrong = first_ids(tokenizer, [example.wrong for example in examples])
    assert whole == pytest.approx(float((logits[every, right] - logits[every, wrong]).mean()), abs=1e-3)
    assert float(effects.sum()) > 0.5 * whole


@pytest.mark.parametrize(("prompt", "answer"), SEED_PROMPTS.items(), ids=["wolf", "lion", "jaguar"])
def test_the_three_stories_are_answered_and_explained(demo, prompt, answer):
    assert greedy(*demo, prompt) == answer


def test_the_textbook_sentence_has_fourteen_tokens_of_one_word_each(demo):
    sentence = "When Mary and John went to the store, John gave a drink to"
    tokens = demo[1].encode(sentence).tokens
    assert [token.replace("Ġ", "") for token in tokens] == sentence.replace(",", " ,").split()


def test_every_name_and_animal_is_one_token_with_and_without_a_space(demo):
    for word in [*data.NAMES, *data.ANIMALS, *map(str.capitalize, data.ANIMALS)]:
        for form in (word, " " + word):
            assert len(demo[1].encode(form).ids) == 1, form


def test_unknown_words_come_back_from_bytes_unchanged(demo):
    for text in ("Zorblax and Quin", "naïve café\n\n  λ 🦊"):
        assert demo[1].decode(demo[1].encode(text).ids) == text


def test_the_library_class_reads_the_tokenizer_as_the_file_does(demo):
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED, local_files_only=True)
    text = next(iter(SEED_PROMPTS))
    assert tokenizer(text).input_ids == demo[1].encode(text).ids
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == 0
    assert tokenizer.bos_token == data.EOT


def test_presets_are_answered_and_their_corrupted_prompts_fit(demo, presets):
    model, tokenizer = demo
    assert len(presets) >= 6
    for preset in presets:
        prompt, corrupted = preset["prompt"], preset["corrupted"]
        ids, last = padded(tokenizer, [prompt, corrupted])
        assert last[0] == last[1], preset["name"]
        # Ids below 257 are the end token and bytes: only marks may be such.
        letters = {tokenizer.id_to_token(one) for one in ids.flatten().tolist() if 0 < one < 257}
        assert not any(letter.isalpha() and letter != "Ċ" for letter in letters), preset["name"]
        for answer in preset["answers"]:
            assert len(tokenizer.encode(answer).ids) == 1
        right, wrong = first_ids(tokenizer, preset["answers"])
        clean, broken = last_logits(model, tokenizer, [prompt, corrupted])
        assert int(clean.argmax()) == int(right), preset["name"]
        assert clean[right] - clean[wrong] > broken[right] - broken[wrong] + 2, preset["name"]
