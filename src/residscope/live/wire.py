"""Arrays and text on their way to the browser: safetensors bytes, and text that is safe to show."""

import json
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

Array = NDArray[Any]

_KEPT_AS_THEY_ARE = "\n\t "
"""White space that the browser draws as dim marks."""
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\ufe0e\uffa0")
"""Characters that are invisible although their category does not say so; not U+FE0F, which colours emoji."""
_MOST_MARKS = 8
"""The most accents on one letter; more, which no script needs, would cover the lines around."""


def pack(run: int, arrays: Mapping[str, Array], info: Mapping[str, Any]) -> bytes:
    """Write arrays and facts about them as one safetensors file that names its run.

    Args:
        run: the number of the run that everything in it belongs to.
        arrays: float16, float32 or int32, by name.
        info: plain data for JSON; its strings must have passed `text`.
    """
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, metadata={"run": str(run), "info": json.dumps(info, allow_nan=False)})


def lower_triangles(patterns: NDArray[np.float16]) -> NDArray[np.float16]:
    """Pack causal patterns [... query key] into [... tri]: query q's weight on key k stands at q (q + 1) / 2 + k."""
    query, key = np.tril_indices(patterns.shape[-1])
    return patterns[..., query, key]


def text(raw: str) -> str:
    """Return text that is safe to send and show: characters that hide, reorder or break text become visible marks.

    Lone surrogates become U+FFFD, because a message with one cannot be sent. Control characters, invisible and
    bidirectional ones become their names, such as <U+202E>, and so do accents heaped on one letter. Spaces, tabs and
    newlines stay.
    """
    shown, marks = [], 0
    for character in raw:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        shown.append(_name(character) if marks > _MOST_MARKS else _shown(character))
    return "".join(shown)


def token_text(raw: str, entry: str) -> str:
    """Return a token's text; a token that is part of a character shows its bytes, such as <E2 80>.

    Args:
        raw: the token decoded.
        entry: its entry in the vocabulary, from which byte-level vocabularies tell the bytes.
    """
    if "\N{REPLACEMENT CHARACTER}" not in raw:
        return text(raw)
    table = _byte_of_character()
    if not entry.startswith("<0x") and all(character in table for character in entry):
        return f"<{' '.join(f'{table[character]:02X}' for character in entry)}>"
    return text(entry)


@cache
def _byte_of_character() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for.

    GPT-2's convention: printable Latin-1 characters stand for themselves, the other bytes for U+0100 onwards.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def _shown(character: str) -> str:
    if character in _KEPT_AS_THEY_ARE:
        return character
    category = unicodedata.category(character)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    if category in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp", "Zs") or character in _INVISIBLE:
        return _name(character)
    return character


def _name(character: str) -> str:
    return f"<U+{ord(character):04X}>"
