"""Answers as people write them: pairs a row, columns, and what could be either."""

import numpy as np
import pytest
import torch

from residscope import InputError
from residscope.inputs.reader import Reader
from tests import tiny

PROMPTS = ["When Mary and John went", "When Tom and Anna went", "Mary met Tom"]
RIGHT, WRONG = [" Mary", " Tom", " Anna"], [" John", " Anna", " Tom"]


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture(scope="module")
def ids(model):
    def ids(texts):
        return [model.tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in texts]

    return ids(RIGHT), ids(WRONG)


def read(model, answers, rows=3):
    return Reader(model).parse(PROMPTS[:rows], answers, None, None)


def sides(inputs):
    return [pair.right.ids for pair in inputs.answers], [pair.wrong and pair.wrong.ids for pair in inputs.answers]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_row_of_two_is_a_pair_a_prompt(model, ids, rows):
    pairs = list(zip(*ids, strict=True))[:rows]
    wanted = [(right,) for right, _ in pairs], [(wrong,) for _, wrong in pairs]
    lists = [list(pair) for pair in pairs]
    texts = [[right, wrong] for right, wrong in zip(RIGHT, WRONG, strict=True)][:rows]
    for answers in (pairs, lists, torch.tensor(lists), np.array(lists), [torch.tensor(one) for one in lists], texts):
        inputs = read(model, answers, rows)
        assert sides(inputs) == wanted
        assert inputs.warnings == ()


@pytest.mark.parametrize("rows", [2, 3])
def test_two_lists_are_columns_and_said_to_be(model, ids, rows):
    right, wrong = (side[:rows] for side in ids)
    wanted = [(one,) for one in right], [(one,) for one in wrong]
    for answers in (
        (right, wrong),
        (torch.tensor(right), torch.tensor(wrong)),
        (RIGHT[:rows], WRONG[:rows]),
        (np.array(right), wrong),
    ):
        inputs = read(model, answers, rows)
        assert sides(inputs) == wanted
        (warning,) = inputs.warnings
        assert warning.startswith(
            f"Two lists of {rows} are read as columns, one right and one wrong answer per prompt; for means"
        )


def test_means_of_several_answers_are_as_they_were(model, ids):
    (mary, tom, anna), (john, *_) = ids
    assert sides(read(model, ([mary, anna], john))) == ([(mary, anna)] * 3, [(john,)] * 3)
    assert sides(read(model, ([mary, anna], [john, tom]))) == ([(mary, anna)] * 3, [(john, tom)] * 3)
    assert sides(read(model, ([mary, anna], [john, tom]), 1)) == ([(mary, anna)], [(john, tom)])
    assert sides(read(model, [([mary, anna], [john, tom])] * 2, 2)) == ([(mary, anna)] * 2, [(john, tom)] * 2)
    assert sides(read(model, [([mary, anna, tom], None)] * 2, 2)) == ([(mary, anna, tom)] * 2, [None] * 2)
    assert sides(read(model, torch.tensor([mary, tom, anna]))) == ([(mary,), (tom,), (anna,)], [None] * 3)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (
            ((1, 2), (3, 4)),
            r"can mean \(right, wrong\) pairs or \(rights, wrongs\): give a list of \(right, wrong\)",
        ),
        (((1, 2), (3, 4), (5, 6)), r"or \(rights, wrongs\), a tuple of two lists"),
        ([[1, 2, 3], [4, 5, 6]], r"2 answers for 3 prompts: .*, or \(rights, wrongs\), a tuple of two lists"),
        (torch.tensor([[1, 2, 3], [4, 5, 6]]), "2 answers for 3 prompts"),
        (
            [[1, 2, 3]] * 3,
            r"3 answers in a list for one prompt, \[1, 2, 3\]: give \(right, wrong\), or, to average several right",
        ),
        ([[1, 2], [3, 4], []], "0 answers in a list for one prompt"),
        (torch.zeros(1, 3, 2, dtype=torch.int), "1 answer for 3 prompts"),
        ([[1, 1]] * 3, "the right and the wrong answer are the same"),
        ([[1.0, 2.0]] * 3, "an answer is text or a token id, not float"),
    ],
)
def test_what_may_mean_two_things_is_refused_with_both(model, answers, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read(model, answers)
    assert caught.value.field == "answers"


def test_a_list_of_two_for_two_prompts_is_one_answer_each_and_said_to_be(model, ids):
    (mary, tom, _), _ = ids
    for answers in ([" Mary", " Tom"], [mary, tom], torch.tensor([mary, tom])):
        inputs = read(model, answers, 2)
        assert sides(inputs) == ([(mary,), (tom,)], [None, None])
        assert inputs.warnings[0].startswith("A list holds one answer per prompt: ")
