"""Right and wrong answers, down to the tokens that are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from residscope.errors import InputError, brief, count, whole_number
from residscope.inputs.target import Answer
from residscope.inputs.tokenizer import Vocabulary

Side = str | int | Sequence[str | int]
"""A right or a wrong answer: text, a token id, or several of one token each, whose logits are averaged."""
Answers = Side | tuple[Side, Side] | Sequence[Side | tuple[Side, Side]]


@dataclass(frozen=True)
class AnswerPair:
    """One prompt's answers.

    Attributes:
        right: the token, or tokens, of the right answer.
        wrong: that of the wrong one, or None.
        shared: tokens that both answers begin with: they are put after the prompt, and the answers compared there.
        written: the answers as they were written.
        note: how answers of several tokens are read, or nothing.
    """

    right: Answer
    wrong: Answer | None
    shared: tuple[int, ...]
    written: tuple[str, str | None]
    note: str = ""


def parse_answers(vocabulary: Vocabulary, answers: Answers, rows: int) -> tuple[AnswerPair, ...]:
    """Return one pair a prompt.

    Raises:
        InputError: for answers that do not fit the prompts, or that cannot be told apart.
    """
    listed = list(answers) if isinstance(answers, list) else [answers] * rows
    if len(listed) != rows:
        raise InputError(
            "answers",
            f"{count(len(listed), 'answer')} for {count(rows, 'prompt')}: give one (right, wrong) tuple for all, or a "
            "list with one entry per prompt",
        )
    pairs = tuple(_pair(vocabulary, entry) for entry in listed)
    if len({pair.wrong is None for pair in pairs}) > 1:
        raise InputError(
            "answers", "some prompts have a wrong answer and some none: give one to each prompt, or to none"
        )
    return pairs


def list_note(answers: Answers | None) -> str:
    """Say how a list of two texts is read, which a tuple reads otherwise; nothing of what cannot be mistaken."""
    if not isinstance(answers, list) or len(answers) != 2 or not all(isinstance(one, str) for one in answers):
        return ""
    first, second = map(brief, answers)
    return (
        f"A list holds one answer a prompt: {first} is right for the first and {second} for the second; "
        f"a tuple, ({first}, {second}), is a right and a wrong answer for both."
    )


def _pair(vocabulary: Vocabulary, entry: Any) -> AnswerPair:
    sides = entry if isinstance(entry, tuple) else (entry, None)
    if len(sides) != 2:
        given = count(len(sides), "answer")
        raise InputError("answers", f"{given} in one tuple: give (right, wrong), or one answer alone")
    right, wrong = sides
    if isinstance(right, str) and isinstance(wrong, str):
        return _first_difference(vocabulary, right, wrong)
    if isinstance(right, str) and wrong is None:
        return _alone(vocabulary, right)
    one = _side(vocabulary, right)
    other = None if wrong is None else _side(vocabulary, wrong)
    if other is not None and set(one.ids) == set(other.ids):
        raise _same(one.text)
    return AnswerPair(one, other, (), (one.text, None if other is None else other.text))


def _first_difference(vocabulary: Vocabulary, right: str, wrong: str) -> AnswerPair:
    """Compare two texts at the first token where they differ, after the tokens they share."""
    ours, theirs = _tokens(vocabulary, right), _tokens(vocabulary, wrong)
    if ours == theirs:
        raise _same(right)
    shared = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    if shared is None:
        shorter, longer = sorted((right, wrong), key=len)
        raise InputError(
            "answers",
            f"{brief(longer)} begins with {brief(shorter)}: give two answers that differ before one of them ends",
        )
    one, other = (Answer((ids[shared],), vocabulary.decode(ids[shared])) for ids in (ours, theirs))
    note = ""
    if len(ours) > 1 or len(theirs) > 1:
        after = f", after {vocabulary.split(ours[:shared])}" if shared else ""
        unequal = f"; they have {len(ours)} and {len(theirs)} tokens" if len(ours) != len(theirs) else ""
        note = (
            f"The answers {brief(right)} ({vocabulary.split(ours)}) and {brief(wrong)} ({vocabulary.split(theirs)}) "
            f"are compared at the first token where they differ, {brief(one.text)} against {brief(other.text)}{after}"
            f"{unequal}."
        )
    return AnswerPair(one, other, ours[:shared], (right, wrong), note)


def _alone(vocabulary: Vocabulary, right: str) -> AnswerPair:
    ids = _tokens(vocabulary, right)
    answer = Answer(ids[:1], vocabulary.decode(ids[0]))
    note = f"The answer {brief(right)} ({vocabulary.split(ids)}) is read at its first token, {brief(answer.text)}."
    return AnswerPair(answer, None, (), (right, None), note if len(ids) > 1 else "")


def _side(vocabulary: Vocabulary, side: Any) -> Answer:
    parts = list(side) if isinstance(side, list) else [side]
    if not parts:
        raise InputError("answers", "an empty list of answers: give text, a token id, or a list of them")
    ids = tuple(_single(vocabulary, part) for part in parts)
    texts = [
        part if isinstance(part, str) else vocabulary.decode(token) for part, token in zip(parts, ids, strict=True)
    ]
    return Answer(ids, " / ".join(texts))


def _single(vocabulary: Vocabulary, part: Any) -> int:
    if isinstance(part, str):
        ids = _tokens(vocabulary, part)
        if len(ids) != 1:
            raise InputError(
                "answers",
                f"the answer {brief(part)} is {len(ids)} tokens ({vocabulary.split(ids)}): beside ids or in a list "
                "give answers of a single token",
            )
        return ids[0]
    token = whole_number(part)
    if token is None:
        raise InputError("answers", f"an answer is text or a token id, not {type(part).__name__}")
    vocabulary.check("answers", [token])
    return token


def _tokens(vocabulary: Vocabulary, text: str) -> tuple[int, ...]:
    ids = vocabulary.encode("answers", text)
    if not ids:
        raise InputError("answers", f"the answer {brief(text)} is no token at all: give text, or leave the answers out")
    vocabulary.check("answers", ids)
    return ids


def _same(text: str) -> InputError:
    return InputError("answers", f"right and wrong are the same, {brief(text)}: give two that differ")
