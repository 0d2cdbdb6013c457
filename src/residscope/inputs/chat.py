"""A conversation as the model's chat template writes it, and which parts of it the user wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from residscope.errors import InputError, brief
from residscope.inputs.vocabulary import Span

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Chat:
    """Chat messages as chat templates take them, each with at least a role and a text."""

    messages: tuple[Message, ...]

    @property
    def text(self) -> str:
        """Return the part that is edited as text: the last user message."""
        return str(self.messages[self._last_of_user]["content"])

    def saying(self, text: str) -> "Chat":
        """Return the conversation with another last user message."""
        at = self._last_of_user
        return Chat((*self.messages[:at], {**self.messages[at], "content": text}, *self.messages[at + 1 :]))

    @property
    def _last_of_user(self) -> int:
        roles = [message["role"] for message in self.messages]
        return max((at for at, role in enumerate(roles) if role == "user"), default=len(roles) - 1)


@dataclass(frozen=True)
class Rendered:
    """A conversation as text.

    Attributes:
        own: where the messages' contents and the prefill are in it, `[start, end)`; None where the template changes
            contents, so that they cannot be told from its own words.
    """

    text: str
    own: tuple[Span, ...] | None


def render(tokenizer: Any, field: str, chat: Chat, arguments: Mapping[str, Any], prefill: str) -> Rendered:
    """Write a conversation up to where the model replies, and append the prefill.

    Raises:
        InputError: for a conversation that the template refuses.
    """

    def written(messages: Sequence[Message]) -> str:
        try:
            return str(
                tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **arguments)
            )
        except Exception as error:  # noqa: BLE001 - whatever a template raises is its refusal
            raise InputError(
                field, f"the chat template does not take {brief(list(messages))}: {brief(str(error))}"
            ) from None

    text = written(chat.messages)
    marks = [f"\ue000{index}\ue001" for index in range(len(chat.messages))]
    try:
        marked = written([{**message, "content": mark} for message, mark in zip(chat.messages, marks, strict=True)])
    except InputError:
        own = None
    else:
        own = _contents(text, marked, marks, [message["content"] for message in chat.messages])
    whole = text + prefill
    return Rendered(whole, None if own is None else (*own, (len(text), len(whole))))


def template_tokens(offsets: Sequence[Span], own: Sequence[Span]) -> tuple[Span, ...]:
    """Return the ranges `[start, end)` of tokens that contain nothing the user wrote."""
    ranges: list[Span] = []
    for position, (start, end) in enumerate(offsets):
        if any(start < last and first < end for first, last in own):
            continue
        if ranges and ranges[-1][1] == position:
            ranges[-1] = (ranges[-1][0], position + 1)
        else:
            ranges.append((position, position + 1))
    return tuple(ranges)


def _contents(text: str, marked: str, marks: Sequence[str], contents: Sequence[str]) -> tuple[Span, ...] | None:
    """Find each content in the text, by what the template wrote around a mark in its place."""
    pieces, rest = [], marked
    for mark in marks:
        piece, found, rest = rest.partition(mark)
        if not found:
            return None
        pieces.append(piece)
    pieces.append(rest)
    spans, at = [], len(pieces[0])
    if not text.startswith(pieces[0]):
        return None
    for content, after in zip(contents, pieces[1:], strict=True):
        # Templates may trim what they are given.
        fits = (form for form in (content, content.strip()) if text.startswith(form + after, at))
        form = next(fits, None)
        if form is None:
            return None
        spans.append((at, at + len(form)))
        at += len(form) + len(after)
    return tuple(spans) if at == len(text) else None
