"""Prompts as a user may write them: texts, chat messages or token ids, brought to rows of one form."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from numpy.typing import NDArray
from torch import Tensor

from residscope.errors import InputError, brief, whole_number
from residscope.inputs.chat import Chat
from residscope.inputs.padding import real_spans, unpacked
from residscope.models.cached import CachedRun

Form = Literal["texts", "messages", "ids"]
Row = str | Chat | tuple[int, ...]
Prompt = str | Sequence[Mapping[str, Any]] | Sequence[int]
Prompts = Prompt | Sequence[Prompt] | Mapping[str, Any] | Tensor | NDArray[Any] | CachedRun
"""A text, chat messages or token ids, or several of one kind; an array, each row one prompt's ids; what a tokenizer
returns, with its attention mask; or a cached run."""


def parse_prompts(field: str, value: Any, mask: Any = None) -> tuple[Row, ...]:
    """Return one row per prompt, all in one form.

    Args:
        field: which input it is.
        value: as a user wrote it.
        mask: for token ids, 1 at real tokens and 0 at padding.

    Raises:
        InputError: for anything else, for mixed forms, and for a mask that does not fit.
    """
    value, mask = unpacked(value, mask)
    if isinstance(value, CachedRun):
        rows: tuple[Row, ...] = value.tokens
    else:
        rows = _rows(field, plain(value))
    if mask is None:
        return rows
    ids = [row for row in rows if isinstance(row, tuple)]
    if len(ids) < len(rows):
        raise InputError("mask", f"a mask is for token ids, and {field} are {_NAMES[form_of(rows[0])]}: leave it out")
    spans = real_spans(plain(mask), list(map(len, ids)))
    return tuple(row[start:end] for row, (start, end) in zip(ids, spans, strict=True))


def _rows(field: str, value: Any) -> tuple[Row, ...]:
    if isinstance(value, Mapping):
        raise InputError(
            field,
            f"a chat message in {field} goes in a list, even a single one: [{brief(value)}]; "
            "a dict of token ids needs the key input_ids",
        )
    first = value[0] if isinstance(value, list | tuple) and value else None
    one = isinstance(value, str) or whole_number(first) is not None or isinstance(first, Mapping)
    listed = value if isinstance(value, list | tuple) and not one else [value]
    if not listed:
        raise InputError(field, f"{field} is empty: give at least one text")
    rows = tuple(_row(field, row) for row in listed)
    forms = dict.fromkeys(form_of(row) for row in rows)
    if len(forms) > 1:
        raise InputError(field, f"{field} mixes {' and '.join(_NAMES[form] for form in forms)}: give all in one form")
    return rows


def form_of(row: Row) -> Form:
    """Return which form a row has."""
    if isinstance(row, str):
        return "texts"
    return "messages" if isinstance(row, Chat) else "ids"


def written(row: Row) -> Prompt:
    """Return a row as a user may write it."""
    return list(row.messages) if isinstance(row, Chat) else row


def plain(value: Any) -> Any:
    """Copy what a user wrote, with arrays as lists, so that later changes in place, theirs or ours, have no effect."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return value.tolist() if hasattr(value, "tolist") else value


_NAMES: dict[Form, str] = {"texts": "texts", "messages": "chat messages", "ids": "token ids"}


def _row(field: str, row: Any) -> Row:
    if isinstance(row, str):
        if not row:
            raise InputError(field, f"{field} has an empty text: give at least one token")
        return row
    if not isinstance(row, list | tuple):
        raise InputError(field, f"{field} is a text, chat messages, token ids, or a list of these, not {brief(row)}")
    if not row:
        raise InputError(field, f"{field} has an empty list: give at least one token")
    if isinstance(row[0], Mapping):
        return _conversation(field, row)
    ids = []
    for token in row:
        known = whole_number(token)
        if known is None:
            raise InputError(field, f"a token id in {field} is a whole number, not {brief(token)}")
        ids.append(known)
    return tuple(ids)


def _conversation(field: str, messages: Sequence[Any]) -> Chat:
    for message in messages:
        if not isinstance(message, Mapping) or not all(
            isinstance(message.get(key), str) for key in ("role", "content")
        ):
            raise InputError(
                field, f"a chat message in {field} is a dict with a role and a content, both text, not {brief(message)}"
            )
    if messages[-1]["role"] == "assistant":
        raise InputError(
            field,
            f"the last message in {field} is the assistant's: end with the user's, and begin the reply with prefill=",
        )
    return Chat(tuple(messages))
