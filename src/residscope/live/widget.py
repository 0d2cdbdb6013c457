"""The base of every widget here: takes from the browser only what it declares, and leaves nothing behind."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

LARGEST_MESSAGE = 1_000_000
"""Bytes of JSON that the browser may send for one trait."""

DEEPEST_MESSAGE = 20
"""Lists and objects within one another that it may send; Python's own limit is met in the middle of things."""

STATIC = Path(__file__).parents[1] / "static"


class Widget(anywidget.AnyWidget):
    """An anywidget that refuses what it has not declared, from Python and from the browser.

    Attributes:
        from_browser: the traits the browser may write; anything else it sends is answered with the true value.
    """

    # A string and not a Path: anywidget keeps every instance alive whose bundle is a Path.
    _esm = traitlets.Unicode("export default {};").tag(sync=True)
    _css = traitlets.Unicode("").tag(sync=True)

    from_browser: ClassVar[frozenset[str]] = frozenset()

    # Of the class, because a widget that fails before it is made is closed all the same.
    _to_tell: list[Any] | None = None

    def __init__(self, **traits: Any) -> None:
        # Traits are set on the kernel's threads and on the worker's, and ipywidgets' bookkeeping is not made for it.
        self.lock = threading.RLock()
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}; it has {', '.join(self._public())}")
        super().__init__(**traits)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a message from the browser: good values are set together, others are answered with the true ones."""
        good: dict[str, Any] = {}
        refused: list[str] = []
        with self._alone():  # also while looking: what may be selected changes with the run
            for name, value in sync_data.items():
                if name in self.from_browser and self._accepts(name, value):
                    good[name] = value
                elif name in self.keys:
                    refused.append(name)
            if good:
                super().set_state(good)
            if refused:
                self.send_state(refused)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send what changes meanwhile as one message."""
        with self._alone(), super().hold_sync():
            yield

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Call observers of what changes meanwhile at the end; traitlets' own way loses what other threads change."""
        with self._alone():
            yield

    def notify_change(self, change: Any) -> None:
        """Send a change to the browser, then call its observers."""
        with self._alone():
            super().notify_change(change)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads out; observers are called when they are let in again, for one may wait for them."""
        with ExitStack() as afterwards, self.lock:
            if self._to_tell is not None:
                yield
                return
            self._to_tell = []
            try:
                yield
            finally:
                # A stack goes backwards, and goes on when an observer fails.
                for event in reversed(self._to_tell):
                    afterwards.callback(super()._notify_observers, event)
                self._to_tell = None

    def _notify_observers(self, event: Any) -> None:
        if self._to_tell is None:
            super()._notify_observers(event)  # of a default value, which is no change
        else:
            self._to_tell.append(event)

    def close(self) -> None:
        """Close the widget and the layout model that ipywidgets made for it."""
        if self.comm is not None and self.layout is not None:
            self.layout.close()
        super().close()

    def _accepts(self, name: str, value: Any) -> bool:
        try:
            # Also what JSON cannot hold, or hides: a lone surrogate fails to encode.
            written = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
            if len(written) > LARGEST_MESSAGE or not _is_flat(value, DEEPEST_MESSAGE):
                return False
            self.traits()[name]._validate(self, value)
        except (traitlets.TraitError, ValueError, TypeError, RecursionError):
            return False
        return True

    @classmethod
    def _public(cls) -> list[str]:
        inherited = anywidget.AnyWidget.class_trait_names()
        return sorted(n for n in cls.class_trait_names() if not n.startswith("_") and n not in inherited)


def _is_flat(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list | tuple):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(one, levels - 1) for one in inner)


@cache
def bundle(name: str) -> tuple[str, str]:
    """Return a built bundle's module and style text.

    Raises:
        FileNotFoundError: when the front end is not built.
    """
    module = STATIC / f"{name}.js"
    if not module.is_file():
        raise FileNotFoundError(f"the front end is not built ({module.name} is missing): run `make build`")
    style = STATIC / f"{name}.css"
    return module.read_text(encoding="utf-8"), style.read_text(encoding="utf-8") if style.is_file() else ""
