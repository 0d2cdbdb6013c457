"""Which notebook cell made what, so that running it again closes what it made before."""

import weakref
from typing import Any, Protocol


class Retired(Protocol):
    """What a cell makes."""

    def retire(self) -> None:
        """Close, as far as nobody else needs it."""


_MADE: dict[str, tuple[str, list["weakref.ref[Retired]"]]] = {}
"""By cell: the execution that made something last, and what it made."""


def note_made_by_cell(thing: Retired) -> None:
    """Note that the running cell made this; at the first thing of a new execution its older things are retired.

    Outside notebooks, and where a host does not say which cell runs, nothing is noted.
    """
    cell, execution = _running()
    if not cell:
        return
    before, things = _MADE.get(cell, ("", []))
    if before == execution:
        things.append(weakref.ref(thing))
        return
    _MADE[cell] = execution, [weakref.ref(thing)]
    # The newest first: boxes before what they hold, views before what they show.
    for reference in reversed(things):
        old = reference()
        if old is not None:
            old.retire()


def _running() -> tuple[str, str]:
    """Return the id of the running cell, and of the message that runs it; empty where there is none."""
    # Only in a kernel is there a module to ask.
    try:
        from IPython.core.getipython import get_ipython

        shell: Any = get_ipython()
        parent = shell.kernel.get_parent("shell")
        return str(parent["metadata"].get("cellId", "")), str(parent["header"]["msg_id"])
    except (ImportError, AttributeError, KeyError):
        return "", ""
