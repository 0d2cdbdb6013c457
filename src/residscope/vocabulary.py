"""Text to tokens and back for one model, and the error that every refused input raises."""

import re
import reprlib
from collections.abc import Sequence
from numbers import Integral
from typing import Any


class InputError(ValueError):
    """An input that cannot be used, in one sentence that names the alternatives.

    Attributes:
        field: which input it is: "prompts", "answers", "corrupted", "target_position", ...
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field

    def _render_traceback_(self) -> list[str]:
        """Let a notebook show the sentence alone: nothing ran, and the frames are ours, not the user's."""
        return [f"InputError: {self}"]


def brief(value: Any, most: int = 80) -> str:
    """Quote what was given in one short line: the beginning and the end of what is long."""
    quoted = re.sub(r"\s*\n\s*", " ", _SHORT.repr(value))
    return quoted if len(quoted) <= most else f"{quoted[: most // 2]}...{quoted[3 - most // 2 :]}"


def whole_number(value: Any) -> int | None:
    """Return a whole number as Python's own, numpy's and torch's too; None for all else, True and 3.0 included."""
    one = value.item() if getattr(value, "ndim", None) == 0 else value
    return int(one) if isinstance(one, Integral) and not isinstance(one, bool) else None


def count(number: int, noun: str) -> str:
    """Say how many there are: "1 prompt", "2 prompts"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def piece_of(tokenizer: Any, token: int) -> str:
    """Return a token's entry in the vocabulary, "<id 5012>" for one that the model has and its tokenizer lacks."""
    try:
        piece = tokenizer.convert_ids_to_tokens(token)
    except IndexError:  # as sentencepiece says it
        piece = None
    return f"<id {token}>" if piece is None else str(piece)


def decoded(tokenizer: Any, token: int) -> str:
    """Return one token's text, as text, and "<id 5012>" likewise."""
    piece = piece_of(tokenizer, token)
    return piece if piece == f"<id {token}>" else str(tokenizer.decode([token], clean_up_tokenization_spaces=False))


Span = tuple[int, int]
"""A range `[start, end)` of characters or of positions."""

_SPLIT_CHARACTERS = 90

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


class Vocabulary:
    """A tokenizer without its habits: nothing is prepended, appended or cut off."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        self._tokenizer = tokenizer
        self._size = size

    def encode(self, field: str, text: str) -> tuple[int, ...]:
        """Return the tokens of a text, no special ones added.

        Raises:
            InputError: for half a character, which tokenizers fail on.
        """
        return tuple(self._encoded(field, text)["input_ids"])

    def encode_at(self, field: str, text: str) -> tuple[tuple[int, ...], list[Span] | None]:
        """Return the tokens of a text with where in it each stands, or None where the tokenizer cannot say.

        Raises:
            InputError: for half a character, which tokenizers fail on.
        """
        if not self._tokenizer.is_fast:
            return self.encode(field, text), None
        encoded = self._encoded(field, text, return_offsets_mapping=True)
        return tuple(encoded["input_ids"]), encoded["offset_mapping"]

    def decode(self, *ids: int) -> str:
        """Return the text of a token, or of several in a row."""
        if len(ids) == 1:
            return decoded(self._tokenizer, ids[0])
        return str(self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def split(self, ids: Sequence[int], at: int = 0) -> str:
        """Show where one token ends and the next begins; of many, those near position `at`."""
        whole, cut = self._split(ids)
        if not cut:
            return whole or "nothing"
        start = max(at - 2, 0)
        near, cut = self._split(ids[start:])
        return f"{'… · ' if start else ''}{near}{' · …' if cut else ''}"

    def _encoded(self, field: str, text: str, **options: Any) -> Any:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(field, f"half a character (a lone surrogate) in {field}: no tokenizer reads it; remove it")
        return self._tokenizer(text, add_special_tokens=False, **options)

    def _split(self, ids: Sequence[int]) -> tuple[str, bool]:
        shown = ""
        for token in ids:
            if len(shown) > _SPLIT_CHARACTERS:
                return shown, True
            shown += f"{' · ' if shown else ''}{brief(self.decode(token), 30)}"
        return shown, False

    def check(self, field: str, ids: Sequence[int]) -> None:
        """Refuse ids outside the vocabulary: on CUDA one of them kills the context for good."""
        for token in ids:
            if not 0 <= token < self._size:
                raise InputError(
                    field, f"token id {token} in {field} is outside the vocabulary: ids go from 0 to {self._size - 1}"
                )
