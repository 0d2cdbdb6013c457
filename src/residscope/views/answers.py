"""How a view answers the browser: many keys in one message, each with its own arrays."""

from collections.abc import Mapping
from typing import Any

from residscope.live import wire

MOST_ASKED = 300
"""How many keys one message may ask for: enough for all heads of a layer and the pinned ones."""

Sent = tuple[Mapping[str, wire.Array], dict[str, Any]]
"""Arrays, and what is said about them."""


class NoAnswerError(LookupError):
    """The browser asked a view for something that its run does not have."""


def asked_of(message: Any) -> dict[str, Any] | None:
    """Return what the browser asks for, or None if the request is malformed."""
    if not isinstance(message, dict) or type(message.get("run")) is not int:
        return None
    keys = message.get("keys")
    if not isinstance(keys, list) or len(keys) > MOST_ASKED or not all(isinstance(key, str) for key in keys):
        return None
    return message


def packed_answers(number: int, answers: Mapping[str, Sent | str]) -> bytes:
    """Pack answers by key, each with its own arrays, or with the reason why there is none."""
    arrays: dict[str, wire.Array] = {}
    said: list[dict[str, Any]] = []
    for at, (key, answer) in enumerate(answers.items()):
        if isinstance(answer, str):
            said.append({"key": key, "error": wire.text(answer)})
        else:
            arrays |= {f"{at}.{name}": array for name, array in answer[0].items()}
            said.append({"key": key, "error": None, "info": answer[1]})
    return wire.pack(number, arrays, {"answers": said})
