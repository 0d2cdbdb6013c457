"""What a notebook's cells made and show: running a cell again closes what it made, and what is shown is kept alive."""

import weakref
from collections.abc import Callable
from typing import Any, Protocol

from ipywidgets import Output, Widget
from ipywidgets.widgets import widget


class Shown(Protocol):
    """What a cell, or an `Output`, shows."""

    model_id: str

    @property
    def closed(self) -> bool:
        """Tell whether it is closed."""


_MADE: dict[str, tuple[str, list["weakref.WeakMethod[Callable[[], object]]"]]] = {}
"""By cell: the execution that made something last, and what retires each thing that it made."""

_SHOWN: dict[str, tuple[str, list[Shown]]] = {}
"""By cell: the last execution that showed something, and what it shows; under "" what is shown outside any cell."""

_OUTPUTS: "weakref.WeakKeyDictionary[Output, list[tuple[str, Shown, bool]]]" = weakref.WeakKeyDictionary()
"""By `Output`: what was displayed in it, in order, by id, each with whether the browser showed it."""

_OUTPUTS_OF: dict[str, dict[Output, str]] = {}
"""By cell: each `Output` that it showed something in, with the last execution that did."""


def note_made_by_cell(retire: Callable[[], object]) -> None:
    """Note what the running cell made; at the first thing of a new execution its older things are retired.

    Nothing is noted outside notebooks, or if the host does not say which cell runs.

    Args:
        retire: a method of the thing that closes it, as far as nobody else needs it; held weakly.
    """
    cell, execution = _running()
    if not cell:
        return
    before, things = _MADE.get(cell, ("", []))
    if before == execution:
        things.append(weakref.WeakMethod(retire))
        return
    _MADE[cell] = execution, [weakref.WeakMethod(retire)]
    _let_go(cell, execution)
    # Newest first: boxes before what they hold, views before what they show.
    for reference in reversed(things):
        retire_older = reference()
        if retire_older is not None:
            retire_older()


def shown(thing: Shown) -> None:
    """Keep what is displayed alive as long as it can be seen, because nothing else may hold it.

    In a cell that is until the cell shows something again, in an `Output` until that shows other things.
    """
    cell, execution = _running()
    output = _catching(execution)
    if output is not None:
        if output not in _OUTPUTS:
            output.observe(_look, ["outputs", "comm"])
        _OUTPUTS.setdefault(output, []).append((thing.model_id, thing, False))
        if cell:
            _follow_cells()
            _OUTPUTS_OF.setdefault(cell, {})[output] = execution
        return
    _let_go(cell, execution)
    _, things = _SHOWN.get(cell, ("", []))
    _SHOWN[cell] = execution, [*(one for one in things if not one.closed), thing]


def open_widgets() -> dict[str, Any]:
    """Return ipywidgets' own list of open widgets by id, which is elsewhere in its version 7."""
    every: dict[str, Any] | None = getattr(widget, "_instances", None)
    return Widget.widgets if every is None else every


def _let_go(cell: str, execution: str) -> None:
    """Release what an earlier execution of the cell showed."""
    if cell and cell in _SHOWN and _SHOWN[cell][0] != execution:
        del _SHOWN[cell]


def _catching(execution: str) -> Output | None:
    """Return the `Output` that captures what is displayed now, as the browser decides it."""
    every = list(open_widgets().values()) if execution else []
    caught = [one for one in every if isinstance(one, Output) and one.msg_id == execution]
    return caught[-1] if caught else None


def _follow_cells() -> None:
    """Have `_cell_ended` called after each cell."""
    from IPython.core.getipython import get_ipython

    events = get_ipython().events  # type: ignore[union-attr]
    if _cell_ended not in events.callbacks["post_run_cell"]:
        events.register("post_run_cell", _cell_ended)


def _cell_ended(result: Any) -> None:
    """Release what is in an `Output` that the cell has replaced by another, as `interact` does."""
    cell, execution = _running()
    outputs = _OUTPUTS_OF.get(cell, {}) if result.success else {}
    for output, last in list(outputs.items()):
        if last != execution:
            del outputs[output]
            _OUTPUTS.pop(output, None)


def _look(change: Any) -> None:
    """Release what an `Output` no longer shows."""
    output: Output = change["owner"]
    if output.comm is None:
        _OUTPUTS.pop(output, None)
        for outputs in _OUTPUTS_OF.values():
            outputs.pop(output, None)
        return
    kind = "application/vnd.jupyter.widget-view+json"
    seen = {one.get("data", {}).get(kind, {}).get("model_id") for one in output.outputs}
    entries = _OUTPUTS.get(output, [])
    # The browser may not report everything in between, but it shows things in order.
    told = max((number for number, (id, _, was) in enumerate(entries, 1) if was or id in seen), default=0)
    _OUTPUTS[output] = [(id, thing, True) for id, thing, _ in entries[:told] if id in seen] + entries[told:]


def _running() -> tuple[str, str]:
    """Return the ids of the running cell and of the message that runs it; empty if there is none."""
    # Only a kernel has the module to ask.
    try:
        from IPython.core.getipython import get_ipython

        shell: Any = get_ipython()
        parent = shell.kernel.get_parent("shell")
        return str(parent["metadata"].get("cellId", "")), str(parent["header"]["msg_id"])
    except (ImportError, AttributeError, KeyError):
        return "", ""
