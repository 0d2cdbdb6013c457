"""Text to tokens and back, for one model."""

from collections.abc import Sequence
from typing import Any

from residscope.errors import InputError, brief


def vocabulary_entry(tokenizer: Any, token: int) -> str:
    """Return a token's entry in the vocabulary, "<id 5012>" for one that the model has and its tokenizer lacks."""
    try:
        entry = tokenizer.convert_ids_to_tokens(token)
    except IndexError:  # as sentencepiece says it
        entry = None
    return f"<id {token}>" if entry is None else str(entry)


def decoded(tokenizer: Any, token: int) -> str:
    """Return one token's text, as text, and "<id 5012>" likewise."""
    entry = vocabulary_entry(tokenizer, token)
    return entry if entry == f"<id {token}>" else str(tokenizer.decode([token], clean_up_tokenization_spaces=False))


Span = tuple[int, int]
"""A range `[start, end)` of characters or of positions."""

_SPLIT_CHARACTERS = 90


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
