"""How a notebook shows a view: its frame at once, and its still picture once there are numbers."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from residscope.export.figure import Figure
from residscope.export.mime import display, display_still, still_bundle, waiting_bundle
from residscope.live.source import Source
from residscope.live.worker import Priority, Replaced, Ticket

WAITING = "residscope: running"

A_MOMENT = 0.1
"""Seconds within which a view of a finished run is usually filled."""


class Part(Protocol):
    """A view, as it is shown."""

    @property
    def source(self) -> Source[Any]:
        """Return what it follows."""

    @property
    def complete(self) -> bool:
        """Tell whether all of the run is shown."""


class Shown(Protocol):
    """A view, or a box of views."""

    @property
    def name(self) -> str:
        """Return the name of its still picture."""

    def parts(self) -> Sequence[Any]:
        """Return the open views in it."""

    def figures_now(self) -> list[Figure]:
        """Return its pictures, from what is there."""


def show(widget: Shown, bundled: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Show a widget at once and its picture when the run is there; what takes longer is added to the picture later.

    The cell runs until then, since a notebook would otherwise save no picture for its last cell.
    """
    display(bundled)
    parts = [part for part in widget.parts() if not part.source.closed]
    if not widget.parts():
        return
    # What is added later an `Output` would not show, and most is there in a moment.
    ready = all(_is_ready(part) for part in parts)
    if not ready:
        display_still(waiting_bundle(WAITING, widget.name), widget.name)
        for part in parts:
            _wait_aloud(part)
    display_still(still_bundle(widget.figures_now(), widget.name), widget.name, update=not ready)
    later = {id(part.source): part.source for part in parts if not part.complete}
    for source in later.values():
        with suppress(RuntimeError):  # it was closed meanwhile
            source.ask(f"still {widget.name}", _still_of(widget), Priority.STILL)


def _still_of(widget: Shown) -> Callable[[Ticket], Iterator[None] | None]:
    reference = weakref.ref(widget)

    def job(_ticket: Ticket) -> None:
        shown = reference()
        if shown is not None and shown.parts():
            display_still(still_bundle(shown.figures_now(), shown.name), shown.name, update=True)

    return job


def _is_ready(part: Any) -> bool:
    return part.source.now() is not None and part.source.showing(part).wait_for_partial(A_MOMENT)


def _wait_aloud(part: Any) -> None:
    """Wait until a view shows the newest run; print one line if that takes longer than a second."""
    widest = 0

    def say(words: str) -> None:
        nonlocal widest
        widest = max(widest, len(words))
        # A line that is written over another must hide all of it.
        print(f"\r{words.ljust(widest)}", end="", flush=True)

    def tell() -> None:
        job = next(iter(part.source.status._jobs), None)
        where = f", {job['label']} {job['done']} of {job['total']}" if job and job["label"] else ""
        say(f"{WAITING}{where} ...")

    part.source.wait(tell)
    ticket = part.source.showing(part)
    while not ticket.wait_for_partial(1.0):
        tell()
    if isinstance(ticket.error, Replaced):
        _wait_aloud(part)  # for the newer run that has come
    if widest:
        say("residscope: run finished.")
        print()
