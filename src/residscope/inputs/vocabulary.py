"""The names of tokens without a tokenizer: their ids, or names that the user gives."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from residscope.errors import InputError, brief, count

Span = tuple[int, int]
"""A range `[start, end)` of characters or of positions."""

Names = Sequence[str] | Callable[[int], str | None]
"""One name per token, in the order of ids, or a function from an id to its name."""

_SPLIT_CHARACTERS = 90


class Vocabulary:
    """Turns text into tokens and tokens into text; nothing is prepended, appended or cut off.

    Attributes:
        tokenizer: None, as this class is for models without one.
        bos: the token that texts may begin with, or None.
        pad: the token that rows are padded with, or None.
        special_ids: the ids of special tokens.
    """

    tokenizer: Any = None
    bos: int | None = None
    pad: int | None = None
    special_ids: frozenset[int] = frozenset()

    def __init__(self, size: int, names: Names | None = None) -> None:
        self._size = size
        self._names = None if names is None else _listed(names, size)

    def entry(self, token: int) -> str:
        """Return a token's entry in the vocabulary, "<id 5012>" where it has none."""
        if self._names is None:
            return str(token)
        name = self._names[token] if 0 <= token < self._size else None
        return f"<id {token}>" if name is None else name

    def decode(self, *ids: int) -> str:
        """Return the text of a token, or of several in a row."""
        return self._between.join(map(self.entry, ids))

    def encode(self, field: str, text: str) -> tuple[int, ...]:
        """Return the tokens of a text: names with spaces between them, or none where each is one character.

        Raises:
            InputError: without names, and for a text that is not made of them.
        """
        if self._names is None:
            raise InputError(
                field,
                f"this model has no tokenizer, so {brief(text, 40)} in {field} cannot be read: give token ids, or "
                "tokenizer=..., or vocabulary=... with a name for each token",
            )
        return tuple(self._id_of(field, name) for name in self._parts(text))

    def encode_after(self, field: str, text: str, _context: str) -> tuple[int, ...]:
        """Return the tokens of a text that follows another.

        Raises:
            InputError: as `encode`.
        """
        return self.encode(field, text)

    def encode_at(self, field: str, text: str) -> tuple[tuple[int, ...], list[Span] | None]:
        """Return the tokens of a text with where in it each stands, or None where that cannot be said.

        Raises:
            InputError: as `encode`.
        """
        return self.encode(field, text), None

    def encode_shown(self, field: str, text: str) -> tuple[int, ...]:
        """Return the tokens of a text as `decode` shows them, ids too.

        Raises:
            InputError: for a text that shows no tokens.
        """
        if self._names is not None:
            return self.encode(field, text)
        try:
            return tuple(map(int, text.split()))
        except ValueError:
            raise InputError(
                field, f"this model has no tokenizer: write {field} as token ids with spaces between, not {brief(text)}"
            ) from None

    def split(self, ids: Sequence[int], at: int = 0) -> str:
        """Show where one token ends and the next begins; of many tokens, only those near position `at`."""
        whole, cut = self._split(ids)
        if not cut:
            return whole or "nothing"
        start = max(at - 2, 0)
        near, cut = self._split(ids[start:])
        return f"{'… · ' if start else ''}{near}{' · …' if cut else ''}"

    def check(self, field: str, ids: Sequence[int]) -> None:
        """Refuse ids outside the vocabulary: on CUDA one of them kills the context for good."""
        for token in ids:
            if not 0 <= token < self._size:
                raise InputError(
                    field, f"token id {token} in {field} is outside the vocabulary: ids go from 0 to {self._size - 1}"
                )

    @property
    def _between(self) -> str:
        """Return what stands between names: nothing where all are single characters."""
        named = [name for name in self._names or () if name is not None]
        return "" if named and all(len(name) == 1 for name in named) else " "

    def _parts(self, text: str) -> Sequence[str]:
        assert self._names is not None
        if text in self._names:
            return [text]
        return text.split() if self._between else list(text)

    def _id_of(self, field: str, name: str) -> int:
        assert self._names is not None
        found = [token for token, known in enumerate(self._names) if known == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(field, f"{brief(name)} in {field} names tokens {found[0]} and {found[1]}: give the id")
        raise InputError(
            field, f"{brief(name)} in {field} is not a name in vocabulary=...: give one of its names, or a token id"
        )

    def _split(self, ids: Sequence[int]) -> tuple[str, bool]:
        shown = ""
        for token in ids:
            if len(shown) > _SPLIT_CHARACTERS:
                return shown, True
            shown += f"{' · ' if shown else ''}{brief(self.decode(token), 30)}"
        return shown, False


def _listed(names: Names, size: int) -> list[str | None]:
    """Return one name per token, None where there is none."""
    if isinstance(names, Mapping) or not (callable(names) or isinstance(names, Sequence)):
        raise InputError(
            "vocabulary",
            f"vocabulary is a list of names, one per token, or a function from id to name, not {brief(names)}",
        )
    if isinstance(names, Sequence):
        if len(names) != size:
            raise InputError(
                "vocabulary",
                f"vocabulary has {count(len(names), 'name')} and the model has {count(size, 'token')}: give one for "
                "each, or a function from id to name",
            )
        listed: list[Any] = list(names)
    else:
        listed = [_called(names, token) for token in range(size)]
    for token, name in enumerate(listed):
        if name is not None and (not isinstance(name, str) or not name):
            raise InputError("vocabulary", f"names in vocabulary are texts, and token {token} has {brief(name)}")
    return listed


def _called(names: Callable[[int], str | None], token: int) -> str | None:
    try:
        return names(token)
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises
        raise InputError(
            "vocabulary",
            f"vocabulary({token}) raised {type(error).__name__}: give a function that takes every id, and returns None "
            "for one without a name",
        ) from None
