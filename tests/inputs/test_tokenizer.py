"""Tokens as text and text as tokens, for tokenizers of every family."""

import pytest
import torch

import residscope as rs
from residscope.inputs.tokenizer import vocabulary_of
from tests import vocabularies
from tests.vocabularies import NAMES, PREFIXED, PROMPT


def vocabulary(name):
    tokenizer = vocabularies.tokenizer(name)
    return tokenizer, vocabulary_of(tokenizer, len(tokenizer))


@pytest.mark.parametrize("name", NAMES)
def test_the_tokens_texts_in_a_row_are_the_prompt(name):
    tokenizer, known = vocabulary(name)
    joined = "".join(known.decode(token) for token in tokenizer(PROMPT, add_special_tokens=False)["input_ids"])
    if name == "WordLevel":
        assert joined == PROMPT.replace(" ", ""), "its vocabulary has words and no spaces"
    else:
        assert joined == (f" {PROMPT}" if name in PREFIXED else PROMPT)


@pytest.mark.parametrize("name", [name for name in NAMES if "Word" not in name and name != "Unigram"])
@pytest.mark.parametrize("text", ["Mary  gave\n a", "né € 日本", "  to\t"])
def test_nothing_of_a_text_is_lost_where_the_vocabulary_holds_all_of_it(name, text):
    tokenizer, known = vocabulary(name)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    texts = [known.decode(token) for token in ids]
    kept = [text for text in texts if "\N{REPLACEMENT CHARACTER}" not in text]
    parts = "".join(character for character in text if character.isascii())
    assert "".join(kept) in (parts, f" {parts}")


@pytest.mark.parametrize("name", [name for name in NAMES if "Word" not in name])
def test_tokens_that_differ_in_a_space_differ_in_their_text(name):
    tokenizer, known = vocabulary(name)
    texts = {}
    for entry, token in tokenizer.get_vocab().items():
        if entry not in vocabularies.BYTES:
            texts.setdefault(known.decode(token), []).append(entry)
    half = "\N{REPLACEMENT CHARACTER}"
    assert {text: entries for text, entries in texts.items() if len(entries) > 1 and half not in text} == {}
    assert "" not in texts


@pytest.mark.parametrize("name", NAMES)
def test_special_tokens_and_ids_that_the_tokenizer_lacks_are_named(name):
    tokenizer, known = vocabulary(name)
    assert [known.decode(token) for token in (0, 1, 2)] == vocabularies.SPECIALS
    assert known.decode(len(tokenizer) + 5) == f"<id {len(tokenizer) + 5}>"


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_is_what_follows_the_prompt(name):
    tokenizer = vocabularies.tokenizer(name)
    model = vocabularies.model(len(tokenizer))

    def ids(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    before, mary, john = ids(PROMPT), ids(f"{PROMPT} Mary"), ids(f"{PROMPT} John")
    assert mary[: len(before)] == john[: len(before)] == before
    assert len(mary) == len(john) == len(before) + 1
    with torch.no_grad():
        logits = model(torch.tensor([[1, *before]])).logits[0, -1]
    trace = rs.Experiment(model, PROMPT, (" Mary", " John"), tokenizer=tokenizer).trace
    assert trace.inputs.tokens == ((1, *before),)
    assert float(trace.target_value) == pytest.approx(float(logits[mary[-1]] - logits[john[-1]]), abs=1e-4)
    alone = rs.Experiment(model, PROMPT, " Mary", tokenizer=tokenizer).trace
    assert float(alone.target_value) == pytest.approx(float(logits.log_softmax(-1)[mary[-1]]), abs=1e-4)
    assert trace.warnings == alone.warnings == []
    by_ids = rs.Experiment(model, [1, *before], (" Mary", " John"), tokenizer=tokenizer).trace
    assert by_ids.target.right == trace.target.right


@pytest.mark.parametrize("name", [name for name in NAMES if name != "WordPiece"])
def test_an_answer_without_a_space_is_read_without_one(name):
    _, known = vocabulary(name)
    for context in (PROMPT, "(", ""):
        joined = "".join(known.decode(token) for token in known.encode_after("answers", "Mary", context))
        assert joined == "Mary", context


def test_an_answer_that_would_merge_with_the_prompt_is_read_after_something_else():
    tokenizer, known = vocabulary("byte-level BPE")
    assert len(tokenizer(" Mary", add_special_tokens=False)["input_ids"]) == 1
    alone = tokenizer("ry", add_special_tokens=False)["input_ids"]
    assert known.encode_after("answers", "ry", "When Ma") == tuple(alone)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_shown_as_the_text_that_they_are_of(name):
    tokenizer = vocabularies.tokenizer(name)
    ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    exp = rs.Experiment(vocabularies.model(len(tokenizer)), [1, *ids], tokenizer=tokenizer)
    assert exp.prompts == (PROMPT,)
    assert exp.trace.str_tokens[0][0] == "<s>"
