"""Text to tokens and back for one model, and the error that every refused input raises."""

from collections.abc import Sequence
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
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(field, f"half a character (a lone surrogate) in {field}: no tokenizer reads it; remove it")
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, token: int) -> str:
        """Return one token's text."""
        return str(self._tokenizer.decode([token]))

    def split(self, ids: Sequence[int]) -> str:
        """Show where one token ends and the next begins."""
        return " · ".join(repr(self.decode(token)) for token in ids) or "nothing"

    def check(self, field: str, ids: Sequence[int]) -> None:
        """Refuse ids outside the vocabulary: on CUDA one of them kills the context for good."""
        for token in ids:
            if not 0 <= token < self._size:
                raise InputError(
                    field, f"token id {token} in {field} is outside the vocabulary: ids go from 0 to {self._size - 1}"
                )
