"""Padded token ids: the mask that a user gives or a tokenizer returns, and the warning where there is none."""

import numpy as np
import pytest
import torch
from transformers import BatchEncoding

import residscope as rs
from residscope import InputError
from residscope.inputs.reader import Reader
from tests import tiny

LONG, SHORT = (300, 301, 302, 303, 304), (310, 311, 312)
PAD = 7
PAIRS = [(300, 301), (302, 303)]


@pytest.fixture(scope="module")
def model():
    model = tiny.bridge("llama")
    model.tokenizer.pad_token = model.tokenizer.convert_ids_to_tokens(PAD)
    return model


def padded(side, width=5):
    gap = width - len(SHORT)
    before = gap if side == "left" else 0
    ids = [list(LONG), [PAD] * before + list(SHORT) + [PAD] * (gap - before)]
    mask = [[1] * width, [int(before <= at < before + len(SHORT)) for at in range(width)]]
    return ids, mask


KINDS = {
    "lists": lambda ids, mask: (ids, mask),
    "tensors": lambda ids, mask: (torch.tensor(ids), torch.tensor(mask)),
    "arrays": lambda ids, mask: (np.array(ids), np.array(mask, bool)),
    "a dict": lambda ids, mask: ({"input_ids": ids, "attention_mask": mask}, None),
    "a BatchEncoding": lambda ids, mask: (
        BatchEncoding({"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}),
        None,
    ),
    "a list of dicts": lambda ids, mask: (
        [{"input_ids": row, "attention_mask": marks} for row, marks in zip(ids, mask, strict=True)],
        None,
    ),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_padding_is_no_part_of_a_prompt(model, kind, side):
    prompts, mask = KINDS[kind](*padded(side))
    exp = rs.Experiment(model, prompts, PAIRS, mask=mask)
    assert exp.trace.inputs.tokens == (LONG, SHORT)
    assert exp.warnings == []
    with torch.no_grad():
        logits = [model.original_model(torch.tensor([row])).logits[0, -1] for row in (LONG, SHORT)]
    true = [float(one[right] - one[wrong]) for one, (right, wrong) in zip(logits, PAIRS, strict=True)]
    assert exp.trace.target_value.tolist() == pytest.approx(true, abs=1e-4)
    other = exp.fork(answers=None)
    assert other.trace.inputs.tokens == (LONG, SHORT)
    assert exp.run(prompts=[300, 301], answers=None).inputs.tokens == ((300, 301),), "a mask is of its own prompts"
    exp.close()
    other.close()


def test_one_row_and_what_a_tokenizer_returns_of_one_text(model):
    encoded = model.tokenizer("Mary gave a drink")
    exp = rs.Experiment(model, encoded)
    assert exp.trace.inputs.tokens == (tuple(encoded["input_ids"]),)
    assert exp.prompts == ("Mary gave a drink",)
    exp.update(prompts=[PAD, *SHORT], mask=[0, 1, 1, 1])
    assert exp.trace.inputs.tokens == (SHORT,)
    exp.update(mask=None)
    assert exp.trace.inputs.tokens == ((PAD, *SHORT),)
    exp.close()


def test_corrupted_prompts_are_padded_as_the_prompts_are_or_have_a_mask_of_their_own_or_none(model):
    ids, mask = padded("left")
    changed = [[*row[:-1], 320] for row in ids]
    bare = ((*LONG[:-1], 320), (*SHORT[:-1], 320))
    for corrupted in (
        torch.tensor(changed),
        {"input_ids": changed, "attention_mask": mask},
        [list(row) for row in bare],
    ):
        inputs = Reader(model).parse(ids, None, corrupted, None, mask=mask)
        assert inputs.corrupted_tokens == bare


def test_an_edit_in_the_strip_leaves_the_padding_out(model):
    ids, mask = padded("left")
    reader = Reader(model)
    texts = reader.parse(ids, None, None, None, mask=mask).prompts
    assert reader.edited(ids, texts, mask) == [LONG, SHORT]


@pytest.mark.parametrize(
    ("prompts", "mask", "sentence"),
    [
        ("Mary gave", [1, 1], "a mask is for token ids, and prompts are texts: leave it out"),
        ([1, 2, 3], [1, 1], "the mask does not have the tokens' shape: give one mark per token"),
        ([[1, 2], [3, 4]], [[1, 1]], "the mask does not have the tokens' shape"),
        ([1, 2, 3], [1, 0, 1], "in each row, real tokens must stand together"),
        ([1, 2, 3], [0, 0, 0], "in each row, real tokens must stand together"),
        ([1, 2, 3], [1, 1, 2], "a mask has the tokens' shape, 1 at real tokens and 0 at padding"),
        ([1, 2, 3], "111", "a mask has the tokens' shape"),
        ([1, 2, 3], 1, "a mask has the tokens' shape"),
    ],
)
def test_a_mask_that_cannot_be_used_is_refused(model, prompts, mask, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        Reader(model).parse(prompts, None, None, None, mask=mask)
    assert caught.value.field == "mask"


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_that_no_mask_tells_of_is_warned_of(model, side):
    ids, _ = padded(side)
    where = "begins" if side == "left" else "ends"
    (warning,) = Reader(model).parse(ids, None, None, None).warnings
    assert warning.startswith(f"Row 1 of the ids {where} with 2 padding tokens (")
    assert "give mask=..., 1 at real tokens" in warning
    encoded = {"input_ids": ids, "attention_mask": [[1] * 5] * 2}
    assert Reader(model).parse(encoded, None, None, None).warnings == (), "its mask says that all are real"


def test_a_bos_that_is_the_padding_token_too_is_no_padding():
    model = tiny.bridge("llama")
    assert model.tokenizer.pad_token_id == model.tokenizer.bos_token_id == 0
    assert Reader(model).parse([[0, *SHORT]], None, None, None).warnings == ()
    (warning,) = Reader(model).parse([[0, 0, *SHORT]], None, None, None).warnings
    assert warning.startswith("Row 0 of the ids begins with 1 padding token ('<|endoftext|>')")


@pytest.mark.parametrize("side", ["left", "right"])
def test_from_cache_takes_a_tokenizers_mask_and_warns_without_one(model, side):
    ids, mask = padded(side)
    tokens, attention = torch.tensor(ids), torch.tensor(mask)
    _, cache = model.run_with_cache(tokens, attention_mask=attention)
    encoded = BatchEncoding({"input_ids": tokens, "attention_mask": attention})
    exp = rs.Experiment.from_cache(model, cache, encoded, PAIRS)
    assert exp.trace.inputs.tokens == (LONG, SHORT)
    assert exp.trace.cache_mismatch == ""
    assert exp.warnings == []
    _, cache = model.run_with_cache(tokens)
    unmasked = rs.Experiment.from_cache(model, cache, tokens, PAIRS)
    assert any("padding tokens" in warning for warning in unmasked.warnings)
    exp.close()
    unmasked.close()
