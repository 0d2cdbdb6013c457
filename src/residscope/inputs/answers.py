"""Right and wrong answers, down to the tokens that are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from residscope.errors import InputError, brief, count, whole_number
from residscope.inputs.target import Answer
from residscope.inputs.vocabulary import Vocabulary

Side = str | int | Sequence[str | int]
"""A right or a wrong answer: text, a token id, or several single-token answers, whose logits are averaged."""
Pair = tuple[Side, Side | None]
Answers = Side | Pair | tuple[Sequence[Side], Sequence[Side]] | Sequence[Side | Pair] | Tensor | NDArray[Any]


@dataclass(frozen=True)
class AnswerPair:
    """One prompt's answers.

    Attributes:
        right: the token, or tokens, of the right answer.
        wrong: the token, or tokens, of the wrong answer, or None.
        shared: tokens that both answers begin with; they are appended to the prompt, and the answers compared there.
        written: the answers as they were written.
        note: how answers of several tokens are read, or nothing.
    """

    right: Answer
    wrong: Answer | None
    shared: tuple[int, ...]
    written: tuple[str, str | None]
    note: str = ""


def parse_answers(vocabulary: Vocabulary, answers: Answers, contexts: Sequence[str]) -> tuple[AnswerPair, ...]:
    """Return one pair per prompt.

    Args:
        vocabulary: of the model.
        answers: as a user wrote them, arrays as lists.
        contexts: the text that each prompt's answers follow.

    Raises:
        InputError: for answers that do not fit the prompts, or that cannot be told apart.
    """
    listed = _entries(answers, len(contexts))
    readers = [_Reader(vocabulary, context) for context in contexts]
    pairs = tuple(reader.pair(entry) for reader, entry in zip(readers, listed, strict=True))
    if len({pair.wrong is None for pair in pairs}) > 1:
        raise InputError(
            "answers", "some prompts have a wrong answer and some do not: give one for every prompt, or for none"
        )
    return pairs


def form_note(answers: Answers | None, rows: int) -> str:
    """Say how two entries, or two lists, are read where they can be misunderstood; nothing otherwise."""
    if _are_columns(answers, rows):
        return (
            f"Two lists of {rows} are read as columns, one right and one wrong answer per prompt; for means of several "
            "answers give a list with one tuple per prompt."
        )
    if not isinstance(answers, list) or len(answers) != 2 or any(isinstance(one, list | tuple) for one in answers):
        return ""
    first, second = map(brief, answers)
    return (
        f"A list holds one answer per prompt: {first} is right for the first and {second} for the second; "
        f"a tuple, ({first}, {second}), is a right and a wrong answer for both."
    )


def _entries(answers: Any, rows: int) -> list[Any]:
    """Return one entry per prompt: a (right, wrong) tuple, or one answer alone."""
    if isinstance(answers, tuple) and answers and all(isinstance(one, tuple) for one in answers):
        raise InputError(
            "answers",
            f"a tuple of tuples can mean (right, wrong) pairs or (rights, wrongs): give {_PAIRS}, or {_COLUMNS}",
        )
    if _are_columns(answers, rows):
        return list(zip(*answers, strict=True))
    if not isinstance(answers, list):
        return [answers] * rows
    if len(answers) != rows:
        meant = f", or {_COLUMNS}" if all(isinstance(one, list) for one in answers) else ""
        raise InputError(
            "answers",
            f"{count(len(answers), 'answer')} for {count(rows, 'prompt')}: give one (right, wrong) tuple for all, or a "
            f"list with one entry per prompt{meant}",
        )
    return [_entry(one) for one in answers]


def _entry(one: Any) -> Any:
    """Read a pair in a list as one in a tuple, as rows of arrays are."""
    if not isinstance(one, list) or len(one) == 1:
        return one
    if len(one) != 2:
        raise InputError(
            "answers",
            f"{count(len(one), 'answer')} in a list for one prompt, {brief(one)}: give (right, wrong), or, to average "
            "several right answers, ([right, right], wrong) or ([right, right], None)",
        )
    return tuple(one)


def _are_columns(answers: Any, rows: int) -> bool:
    """Tell whether these are a list of right and a list of wrong answers, one per prompt."""
    return (
        isinstance(answers, tuple)
        and len(answers) == 2
        and rows > 1
        and all(isinstance(side, list) and len(side) == rows for side in answers)
    )


_PAIRS = "a list of (right, wrong) tuples"
_COLUMNS = "(rights, wrongs), a tuple of two lists"


@dataclass(frozen=True)
class _Reader:
    """Reads one prompt's answers.

    Attributes:
        context: the text that they follow.
    """

    vocabulary: Vocabulary
    context: str

    def pair(self, entry: Any) -> AnswerPair:
        """Return a right and a wrong answer, or a right one alone."""
        sides = entry if isinstance(entry, tuple) else (entry, None)
        if len(sides) != 2:
            given = count(len(sides), "answer")
            raise InputError("answers", f"{given} in one tuple: give (right, wrong), or one answer alone")
        right, wrong = sides
        if isinstance(right, str) and isinstance(wrong, str):
            return self._first_difference(right, wrong)
        if isinstance(right, str) and wrong is None:
            return self._alone(right)
        one = self._side(right)
        other = None if wrong is None else self._side(wrong)
        if other is not None and set(one.ids) == set(other.ids):
            raise _same(one.text)
        return AnswerPair(one, other, (), (one.text, None if other is None else other.text))

    def _first_difference(self, right: str, wrong: str) -> AnswerPair:
        """Compare two texts at the first token where they differ, after the tokens they share."""
        ours, theirs = self._tokens(right), self._tokens(wrong)
        if ours == theirs:
            raise _same(right)
        shared = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
        if shared is None:
            shorter, longer = sorted((right, wrong), key=len)
            raise InputError(
                "answers",
                f"{brief(longer)} begins with {brief(shorter)}: give two answers that differ before the shorter one "
                "ends",
            )
        one, other = (Answer((ids[shared],), self.vocabulary.decode(ids[shared])) for ids in (ours, theirs))
        note = ""
        if len(ours) > 1 or len(theirs) > 1:
            after = f", after {self.vocabulary.split(ours[:shared])}" if shared else ""
            unequal = f"; they have {len(ours)} and {len(theirs)} tokens" if len(ours) != len(theirs) else ""
            split = self.vocabulary.split
            note = (
                f"The answers {brief(right)} ({split(ours)}) and {brief(wrong)} ({split(theirs)}) are compared at the "
                f"first token where they differ, {brief(one.text)} against {brief(other.text)}{after}{unequal}."
            )
        return AnswerPair(one, other, ours[:shared], (right, wrong), note)

    def _alone(self, right: str) -> AnswerPair:
        ids = self._tokens(right)
        answer = Answer(ids[:1], self.vocabulary.decode(ids[0]))
        split = self.vocabulary.split(ids)
        note = f"The answer {brief(right)} ({split}) is read at its first token, {brief(answer.text)}."
        return AnswerPair(answer, None, (), (right, None), note if len(ids) > 1 else "")

    def _side(self, side: Any) -> Answer:
        parts = list(side) if isinstance(side, list) else [side]
        if not parts:
            raise InputError("answers", "a list of answers is empty: give text, a token id, or a list of them")
        ids = tuple(self._single(part) for part in parts)
        named = zip(parts, map(self.vocabulary.decode, ids), strict=True)
        texts = [part if isinstance(part, str) else text for part, text in named]
        return Answer(ids, " / ".join(texts))

    def _single(self, part: Any) -> int:
        if isinstance(part, str):
            ids = self._tokens(part)
            if len(ids) != 1:
                raise InputError(
                    "answers",
                    f"the answer {brief(part)} has {len(ids)} tokens ({self.vocabulary.split(ids)}): in a list, or "
                    "beside a token id, give answers of a single token",
                )
            return ids[0]
        token = whole_number(part)
        if token is None:
            raise InputError("answers", f"an answer is text or a token id, not {type(part).__name__}")
        self.vocabulary.check("answers", [token])
        return token

    def _tokens(self, text: str) -> tuple[int, ...]:
        ids = self.vocabulary.encode_after("answers", text, self.context)
        if not ids:
            raise InputError("answers", f"the answer {brief(text)} has no tokens: give text, or leave the answers out")
        self.vocabulary.check("answers", ids)
        return ids


def _same(text: str) -> InputError:
    return InputError("answers", f"the right and the wrong answer are the same, {brief(text)}: give two that differ")
