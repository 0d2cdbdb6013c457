"""How a notebook shows a view: its frame at once, and its still picture once there are numbers."""

import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from residscope.export.figure import Figure
from residscope.export.mime import display, display_still, still_bundle, waiting_bundle
from residscope.live.source import Source
from residscope.live.worker import Priority, Replaced, Ticket

WAITING = "residscope: running"

A_MOMENT = 0.1
"""Seconds within which a view of a finished run is usually filled."""


@dataclass(frozen=True)
class Part:
    """An open view, alone or in a box.

    Attributes:
        kind: the name of its class.
        name: by which its source knows it.
        source: what it follows.
        is_complete: tells whether there is nothing more to come of the run that is shown.
    """

    kind: str
    name: str
    source: Source[Any]
    is_complete: Callable[[], bool]


def show(
    name: str,
    parts: Callable[[], list[Part]],
    figures: Callable[[], list[Figure]],
    bundled: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Show a widget at once and its picture when the run is there; what takes longer is added to the picture later.

    The cell runs until then, since a notebook would otherwise save no picture for its last cell.

    Args:
        name: of the picture.
        parts: a method of the widget that returns the open views in it.
        figures: a function that returns its pictures, from what is there.
        bundled: how the page shows the widget itself.
    """
    display(bundled)
    every = parts()
    if not every:
        return
    live = [part for part in every if not part.source.closed]
    # What is added later an `Output` would not show, and most is there in a moment.
    ready = all(_is_ready(part) for part in live)
    if not ready:
        display_still(waiting_bundle(WAITING, name), name)
        for part in live:
            _wait_aloud(part)
    display_still(still_bundle(figures(), name), name, update=not ready)
    later = {id(part.source): part.source for part in live if not part.is_complete()}
    for source in later.values():
        with suppress(RuntimeError):  # it was closed meanwhile
            source.ask(f"still {name}", _still_of(name, parts, figures), Priority.STILL)


def _still_of(
    name: str, parts: Callable[[], list[Part]], figures: Callable[[], list[Figure]]
) -> Callable[[Ticket], None]:
    # Nobody but the page may hold the widget then.
    parts_now, figures_now = weakref.WeakMethod(parts), weakref.WeakMethod(figures)

    def job(_ticket: Ticket) -> None:
        parts, figures = parts_now(), figures_now()
        if parts is not None and figures is not None and parts():
            display_still(still_bundle(figures(), name), name, update=True)

    return job


def _is_ready(part: Part) -> bool:
    return part.source.now() is not None and part.source.showing(part.name).wait_for_partial(A_MOMENT)


def _wait_aloud(part: Part) -> None:
    """Wait until a view shows the newest run; print one line if that takes longer than a second."""
    widest = 0

    def say(words: str) -> None:
        nonlocal widest
        widest = max(widest, len(words))
        # A line written over a longer one must hide all of it.
        print(f"\r{words.ljust(widest)}", end="", flush=True)

    def tell() -> None:
        job = next(iter(part.source.status._jobs), None)
        where = f", {job['label']} {job['done']} of {job['total']}" if job and job["label"] else ""
        say(f"{WAITING}{where} ...")

    part.source.wait(tell)
    ticket = part.source.showing(part.name)
    while not ticket.wait_for_partial(1.0):
        tell()
    if isinstance(ticket.error, Replaced):
        _wait_aloud(part)  # for the newer run that has come
    if widest:
        say("residscope: run finished.")
        print()
