"""How every refusal is said: the error it raises, and how a sentence quotes what was given."""

import re
import reprlib
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
        return [f"{type(self).__name__}: {self}"]


class NoModelError(ValueError):
    """A view of arrays was asked for a number that only a model could compute.

    Args:
        what: the number.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this view shows arrays: there is no model to compute {brief(what)} with; show an Experiment instead"
        )


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


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
