"""Text to tokens and back, by a model's tokenizer."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from residscope.errors import InputError
from residscope.inputs.vocabulary import Names, Span, Vocabulary


def vocabulary_of(tokenizer: Any, size: int, names: Names | None = None) -> Vocabulary:
    """Return the vocabulary of a model.

    Args:
        tokenizer: the model's, or None.
        size: how many tokens the model knows; its tokenizer may know fewer.
        names: what they are called where there is no tokenizer.

    Raises:
        InputError: for names beside a tokenizer, and for names that do not fit the model.
    """
    if tokenizer is None:
        return Vocabulary(size, names)
    if names is not None:
        raise InputError("vocabulary", "this model has a tokenizer, which names its tokens: leave vocabulary out")
    return TokenizerVocabulary(tokenizer, size)


class TokenizerVocabulary(Vocabulary):
    """A tokenizer without its habits."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        super().__init__(size)
        self.tokenizer = tokenizer
        eos = tokenizer.eos_token_id
        # As TransformerLens does; if the prepended token is not the tokenizer's own BOS, the user is warned.
        self.bos = eos if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        self.pad = eos if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self.special_ids = frozenset(tokenizer.all_special_ids)
        self._texts: dict[int, str] = {}

    def entry(self, token: int) -> str:
        """Return a token's entry in the vocabulary, "<id 5012>" for one that the model has and its tokenizer lacks."""
        try:
            entry = self.tokenizer.convert_ids_to_tokens(token)
        except IndexError:  # as sentencepiece says it
            entry = None
        return f"<id {token}>" if entry is None else str(entry)

    def decode(self, *ids: int) -> str:
        """Return the text of a token, with the space that it begins with, or of several in a row."""
        if len(ids) != 1:
            return str(self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))
        (token,) = ids
        if token not in self._texts:
            self._texts[token] = self._text_of(token)
        return self._texts[token]

    def encode(self, field: str, text: str) -> tuple[int, ...]:
        """Return the tokens of a text, no special ones added.

        Raises:
            InputError: for half a character, which tokenizers fail on.
        """
        return tuple(self._encoded(field, text)["input_ids"])

    def encode_after(self, field: str, text: str, context: str) -> tuple[int, ...]:
        """Return the tokens of a text that follows another.

        Many tokenizers put a space in front of every text, which what follows does not get. Where the two merge at
        their border, the text is read after something that it does not merge with.

        Raises:
            InputError: for half a character, which tokenizers fail on.
        """
        alone = self.encode(field, text)
        following = self._rest(field, text, context)
        for ids in (following, alone, *(self._rest(field, text, apart) for apart in _APART)):
            if ids and self._is_of(ids, text):
                return ids
        return following or alone

    def encode_at(self, field: str, text: str) -> tuple[tuple[int, ...], list[Span] | None]:
        """Return the tokens of a text with where in it each stands, or None where the tokenizer cannot say.

        Raises:
            InputError: for half a character, which tokenizers fail on.
        """
        if not self.tokenizer.is_fast:
            return self.encode(field, text), None
        encoded = self._encoded(field, text, return_offsets_mapping=True)
        return tuple(encoded["input_ids"]), encoded["offset_mapping"]

    def encode_shown(self, field: str, text: str) -> tuple[int, ...]:
        """Return the tokens of a text.

        Raises:
            InputError: for half a character, which tokenizers fail on.
        """
        return self.encode(field, text)

    def _encoded(self, field: str, text: str, **options: Any) -> Any:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(
                field, f"{field} contains half a character (a lone surrogate), which no tokenizer can read: remove it"
            )
        return self.tokenizer(text, add_special_tokens=False, **options)

    def _rest(self, field: str, text: str, context: str) -> tuple[int, ...]:
        """Return the tokens of a text after those of another; none where they merge."""
        before, whole = self.encode(field, context), self.encode(field, context + text)
        return whole[len(before) :] if whole[: len(before)] == before else ()

    def _is_of(self, ids: Sequence[int], text: str) -> bool:
        """Tell whether these tokens say just this text."""
        return "".join(map(self.decode, ids)) == ("".join(text.split()) if self._joins == " " else text)

    def _text_of(self, token: int) -> str:
        """Return a token's text within a longer text: at the beginning of one, decoders cut off a space."""
        entry = self.entry(token)
        if entry == f"<id {token}>" or token in self._added or self._joins == " ":
            return entry
        within = self._decoded("a", entry, "a") if self._joins == "" else f"{self._decoded('a', entry)}a"
        if within[:1] == within[-1:] == "a":
            return within[1:-1]
        return str(self.tokenizer.decode([token], clean_up_tokenization_spaces=False))

    @cached_property
    def _added(self) -> frozenset[int]:
        """Return the added tokens, whose text is their entry, letter by letter; that of a byte is not."""
        added = self.tokenizer.added_tokens_decoder.items()
        return frozenset(token for token, entry in added if not _BYTE.fullmatch(str(entry)))

    @cached_property
    def _joins(self) -> str | None:
        """Return what stands between any two tokens in a text: nothing, or a space, or, if it depends on them, None."""
        if self._decoded("a", "a") == "aa":
            return ""
        return " " if self._decoded("a", "##a") == "a ##a" else None

    def _decoded(self, *entries: str) -> str:
        return str(self.tokenizer.convert_tokens_to_string(list(entries)))


_BYTE = re.compile("<0x[0-9A-F]{2}>")

_APART = ("\n", "(")
"""What few tokenizers let merge with letters and digits."""
