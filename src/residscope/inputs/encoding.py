"""How prompts become tokens: the BOS, the chat template and the prefill, nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from residscope.errors import InputError, brief
from residscope.inputs.chat import Chat, render, template_tokens
from residscope.inputs.prompts import Form, Row
from residscope.inputs.tokenizer import vocabulary_of
from residscope.inputs.vocabulary import Names, Span, Vocabulary
from residscope.models import twin_of


@dataclass(frozen=True)
class Encoded:
    """One row in tokens.

    Attributes:
        text: the text that was tokenised, without a prepended BOS.
        template: the ranges of tokens, `[start, end)`, that the chat template added.
    """

    ids: tuple[int, ...]
    text: str
    template: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The user's settings for how prompts become tokens.

    Attributes:
        prepend_bos: None follows the model's own habit.
        chat_template: None applies it to chat messages and not to texts; a dict holds its arguments.
        prefill: the beginning of the model's reply, for all prompts or one each.
        vocabulary: the names of the tokens, for a model without a tokenizer.
    """

    prepend_bos: bool | None = None
    chat_template: bool | Mapping[str, Any] | None = None
    prefill: str | Sequence[str] | None = None
    vocabulary: Names | None = None


class Encoding:
    """Turns prompts into tokens, for one model and the user's settings."""

    def __init__(self, model: Any, settings: Settings) -> None:
        prepend_bos, chat_template = settings.prepend_bos, settings.chat_template
        if prepend_bos is not None and not isinstance(prepend_bos, bool):
            raise InputError("prepend_bos", f"prepend_bos is True or False, not {brief(prepend_bos)}")
        if not isinstance(chat_template, bool | Mapping | None):
            raise InputError(
                "chat_template", f"chat_template is True, False or a dict of its arguments, not {brief(chat_template)}"
            )
        self.tokenizer = twin_of(model).tokenizer
        self.vocabulary: Vocabulary = vocabulary_of(self.tokenizer, int(model.cfg.d_vocab), settings.vocabulary)
        self._n_ctx = int(model.cfg.n_ctx)
        self._habit = bool(model.cfg.default_prepend_bos)
        self._prepend_bos, self._chat_template, self._prefill = prepend_bos, chat_template, settings.prefill
        bos = self.vocabulary.bos
        if prepend_bos and bos is None:
            raise InputError("prepend_bos", "this model has no BOS token to prepend: use prepend_bos=False")
        self._bos = bos if (self._habit if prepend_bos is None else prepend_bos) else None

    def check(self, form: Form) -> None:
        """Refuse settings that mean nothing for prompts of this form."""
        templated = self.is_templated(form)
        if form == "ids" and (self._prepend_bos or _asks_for_template(self._chat_template)):
            setting = "prepend_bos" if self._prepend_bos else "chat_template"
            raise InputError(setting, f"token ids are taken as they are: leave {setting} out, or give texts")
        if form == "messages" and self._chat_template is False:
            raise InputError(
                "chat_template", "chat messages need the model's chat template: use chat_template=True, or give texts"
            )
        if templated and not self._has_template:
            raise InputError("chat_template", "this model has no chat template: give texts, with chat_template=False")
        if templated and self._prepend_bos is not None:
            raise InputError("prepend_bos", "the chat template decides whether there is a BOS: leave prepend_bos out")
        if self._prefill is not None and not templated:
            raise InputError(
                "prefill", "prefill begins a chat's reply: give chat messages or chat_template=True, or leave it out"
            )

    def is_templated(self, form: Form) -> bool:
        """Tell whether prompts of this form go through the chat template."""
        return form == "messages" or (form == "texts" and _asks_for_template(self._chat_template))

    def bos_of(self, form: Form) -> int | None:
        """Return the token that is prepended to prompts of this form, if any."""
        return self._bos if form == "texts" and not self.is_templated(form) else None

    def prefills_of(self, form: Form, rows: int) -> tuple[str, ...] | None:
        """Return what the reply to each prompt of this form begins with, or None where there is no template."""
        return tuple(self._prefills(rows)) if self.is_templated(form) else None

    def policy_of(self, form: Form) -> str:
        """Say what decided whether a BOS is prepended."""
        if form == "ids":
            return "token ids as given"
        if self.is_templated(form):
            return "chat template"
        return "the model's habit" if self._prepend_bos is None else f"prepend_bos={self._prepend_bos}"

    def forgets_template(self, form: Form) -> bool:
        """Tell whether texts bypass a chat model's template without the user having asked for that."""
        return form == "texts" and self._chat_template is None and self._has_template

    def rows(self, field: str, rows: Sequence[Row]) -> list[Encoded]:
        """Tokenise prompts.

        Raises:
            InputError: for a prompt that has no tokens, is too long, or has an id outside the vocabulary.
        """
        prefills = self._prefills(len(rows))
        encoded = [self._encoded(field, row, prefill) for row, prefill in zip(rows, prefills, strict=True)]
        for row in encoded:
            self._check(field, row.ids)
        return encoded

    def continued(self, field: str, rows: Sequence[Encoded], more: Sequence[Sequence[int]]) -> tuple[Encoded, ...]:
        """Return rows followed by the tokens that their answers share.

        Raises:
            InputError: for a row that becomes too long.
        """
        longer = tuple(replace(row, ids=(*row.ids, *ids)) for row, ids in zip(rows, more, strict=True))
        for row in longer:
            self._check(field, row.ids)
        return longer

    def ends_in_space(self, form: Form, rows: Sequence[Encoded]) -> bool:
        """Tell whether a prompt or a prefill ends in a space that is a token; a template's own spaces do not count."""
        texts = self._prefills(len(rows)) if self.is_templated(form) else [row.text for row in rows]
        lasts = [self.vocabulary.decode(row.ids[-1]) for row in rows]
        return any(text.endswith(" ") and not last.strip(" ") for text, last in zip(texts, lasts, strict=True))

    def text_of(self, row: Row) -> str:
        """Return the part of a prompt that is edited as text: the last user message of a chat, all of ids but a BOS."""
        if isinstance(row, str):
            return row
        if isinstance(row, Chat):
            return row.text
        return self.vocabulary.decode(*row[len(self._own_bos(row)) :])

    def edited(self, row: Row, text: str) -> Row:
        """Return a prompt with another text, in the form it has; unchanged if the text is."""
        if isinstance(row, str):
            return text
        if text == self.text_of(row):
            return row
        if isinstance(row, Chat):
            return row.saying(text)
        return (*self._own_bos(row), *self.vocabulary.encode_shown("prompts", text))

    @property
    def _has_template(self) -> bool:
        return self.tokenizer is not None and bool(self.tokenizer.chat_template)

    def _prefills(self, rows: int) -> list[str]:
        given = self._prefill
        if given is None or isinstance(given, str):
            return [given or ""] * rows
        if not isinstance(given, list | tuple) or len(given) != rows or not all(isinstance(one, str) for one in given):
            raise InputError("prefill", f"prefill is a text, or a list with one text per prompt, not {brief(given)}")
        return list(given)

    def _encoded(self, field: str, row: Row, prefill: str) -> Encoded:
        if isinstance(row, tuple):
            self._check(field, row)
            return Encoded(row, self.text_of(row))
        if isinstance(row, Chat):
            return self._in_template(field, row, prefill)
        if self.is_templated("texts"):
            return self._in_template(field, Chat(({"role": "user", "content": row},)), prefill)
        bos = () if self._bos is None else (self._bos,)
        return Encoded((*bos, *self.vocabulary.encode(field, row)), row)

    def _in_template(self, field: str, chat: Chat, prefill: str) -> Encoded:
        arguments = self._chat_template if isinstance(self._chat_template, Mapping) else {}
        rendered = render(self.tokenizer, field, chat, arguments, prefill)
        ids, offsets = self.vocabulary.encode_at(field, rendered.text)
        if rendered.own is None or offsets is None:
            return Encoded(ids, rendered.text)
        return Encoded(ids, rendered.text, template_tokens(offsets, rendered.own))

    def _check(self, field: str, ids: Sequence[int]) -> None:
        if not ids:
            raise InputError(field, f"{field} has a text without tokens: give at least one token")
        if len(ids) > self._n_ctx:
            raise InputError(
                field, f"{len(ids)} tokens in {field}, and this model reads at most {self._n_ctx}: shorten the text"
            )
        self.vocabulary.check(field, ids)

    def _own_bos(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        return ids[:1] if ids[:1] == (self.vocabulary.bos,) else ()


def _asks_for_template(chat_template: bool | Mapping[str, Any] | None) -> bool:
    # An empty dict has no arguments, but still asks for the template.
    return chat_template is True or isinstance(chat_template, Mapping)
