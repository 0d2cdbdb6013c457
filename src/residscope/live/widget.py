"""The base of every widget here: it accepts only declared traits from the browser, and leaves nothing behind."""

import json
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from ipywidgets import Layout

from residscope.live.rerun import open_widgets

LARGEST_MESSAGE = 1_000_000
"""The most bytes of JSON that the browser may send for one trait."""

DEEPEST_MESSAGE = 20
"""How deeply lists and objects that it sends may be nested; Python's own limit would strike halfway through."""

STATIC = Path(__file__).parents[1] / "static"


_Undo = list[weakref.WeakMethod[Callable[[], object]]]


class _Made(threading.local):
    """The calls that undo what constructors on this thread have made so far; None if none is running."""

    undo: _Undo | None = None


_MADE = _Made()


@contextmanager
def made_whole() -> Iterator[None]:
    """If construction inside fails, undo all of it, newest first, and pass on the error."""
    outer = _MADE.undo
    mine: _Undo = []
    _MADE.undo = mine
    try:
        yield
        if outer is not None:
            outer.extend(mine)
    except BaseException:
        for reference in reversed(mine):
            undo = reference()
            # A second error must not hide the first.
            with suppress(Exception):
                if undo is not None:
                    undo()
        raise
    finally:
        _MADE.undo = outer


def undone_by(method: Callable[[], object]) -> None:
    """Note what to call if the running construction fails."""
    if _MADE.undo is not None:
        _MADE.undo.append(weakref.WeakMethod(method))


class _Whole(traitlets.MetaHasTraits):
    """Makes a widget completely or not at all."""

    def __call__(cls, *args: Any, **traits: Any) -> Any:
        with made_whole():
            return super().__call__(*args, **traits)


class Widget(anywidget.AnyWidget, metaclass=_Whole):
    """An anywidget that refuses undeclared names, from Python and from the browser.

    Attributes:
        _from_browser: the traits the browser may write; to any other it gets the true value as the answer.
    """

    # A string and not a Path: anywidget keeps every instance alive whose bundle is a Path.
    _esm = traitlets.Unicode("export default {};").tag(sync=True)
    _css = traitlets.Unicode("").tag(sync=True)

    _from_browser: ClassVar[frozenset[str]] = frozenset()

    _lock: threading.RLock
    _to_tell: list[Any] | None = None
    _watched: dict[tuple[int, Any], tuple[traitlets.HasTraits, Sequence[str], Callable[[Any], None]]]

    def __new__(cls, *args: Any, **traits: Any) -> Any:
        """Make what closing needs, because a widget that fails before it is made is closed all the same."""
        made = super().__new__(cls, *args, **traits)
        # The kernel's threads and the worker's set traits, and ipywidgets' bookkeeping is not made for that.
        made._lock = threading.RLock()
        made._watched = {}
        undone_by(made._retire)
        return made

    def __init__(self, **traits: Any) -> None:
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}; it has {', '.join(self._public())}")
        super().__init__(**traits)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Handle a message from the browser: set good values together, and answer bad ones with the true values."""
        good: dict[str, Any] = {}
        refused: list[str] = []
        with self._alone():  # also for validation: what may be selected changes with the run
            for name, value in sync_data.items():
                if name in self._from_browser and self._accepts(name, value):
                    good[name] = value
                elif name in self.keys:
                    refused.append(name)
            if good:
                super().set_state(good)
            if refused:
                self.send_state(refused)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send all changes made meanwhile in one message."""
        with self._alone(), super().hold_sync():
            yield

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Call observers at the end for all changes made meanwhile; traitlets' own way loses other threads' changes."""
        with self._alone():
            yield

    def notify_change(self, change: Any) -> None:
        """Send a change to the browser, then call its observers."""
        with self._alone():
            super().notify_change(change)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads out; observers are called after that, because one may wait for another thread."""
        with ExitStack() as afterwards, self._lock:
            if self._to_tell is not None:
                yield
                return
            self._to_tell = []
            try:
                yield
            finally:
                # A stack unwinds backwards, and goes on when an observer fails.
                for event in reversed(self._to_tell):
                    afterwards.callback(super()._notify_observers, event)
                self._to_tell = None

    def _notify_observers(self, event: Any) -> None:
        if self._to_tell is None:
            super()._notify_observers(event)  # for a default value, which is not a change
        else:
            self._to_tell.append(event)

    def open(self) -> None:
        """Open the widget's comm; where we know what is shown, the widget lives until nothing shows or holds it."""
        super().open()
        if self.comm is None or not _host_is_known(self.comm):
            return
        handle = weakref.WeakMethod(self._handle_msg)

        def handle_message(message: dict[str, Any]) -> None:
            call = handle()
            if call is not None:
                call(message)

        # ipywidgets' own handler and its list of all widgets would keep this one alive for ever.
        self.comm.on_msg(handle_message)
        open_widgets()[self.model_id] = weakref.proxy(self)

    def _watch(self, other: traitlets.HasTraits, names: Sequence[str], handler: Callable[[Any], object]) -> None:
        """Call a method of this widget when traits of another change, until this one is closed.

        The other widget does not keep this one alive.
        """
        method = weakref.WeakMethod(handler)
        key = id(other), method
        if key in self._watched:
            return

        def told(change: Any) -> None:
            call = method()
            if call is not None:
                call(change)

        # Noted first, in case of an interrupt in between. A widget that watches itself need not be told to stop.
        if other is not self:
            self._watched[key] = other, names, told
        other.observe(told, names)

    def close(self) -> None:
        """Stop watching others, and close the widget and the layout model that ipywidgets made for it."""
        while self._watched:
            _, (other, names, told) = self._watched.popitem()
            with suppress(ValueError):  # it was interrupted before it began to watch
                other.unobserve(told, names)
        if self.comm is not None and self.layout is not None:
            self.layout.close()
        super().close()

    def _retire(self) -> None:
        """Close the widget, but not the widgets that it holds."""
        self.close()

    def __del__(self, _ends: Callable[[], bool] = sys.is_finalizing) -> None:
        """Close a widget that nothing holds any more; others may still hold what it held."""
        # A widget that was interrupted before it had what closing needs has nothing to close.
        if "_watched" in vars(self) and not _ends():
            self._retire()

    @traitlets.default("layout")
    def _make_layout(self) -> Layout:
        layout = Layout.__new__(Layout)
        undone_by(layout.close)
        Layout.__init__(layout)
        return layout

    def _accepts(self, name: str, value: Any) -> bool:
        try:
            # This also catches what JSON cannot hold: a lone surrogate fails to encode.
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


def _host_is_known(comm: Any) -> bool:
    """Tell whether `rerun` keeps what is shown alive, as in an IPython kernel, or whether nothing can be shown."""
    from comm import DummyComm

    kernels = sys.modules.get("ipykernel.kernelbase")
    return isinstance(comm, DummyComm) or (kernels is not None and kernels.Kernel.initialized())


def _is_flat(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list | tuple):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(one, levels - 1) for one in inner)


def check_front_end() -> None:
    """Raise an error if the package has no front end.

    Raises:
        ImportError: when no bundle is there.
    """
    if not any(STATIC.glob("*.js")):
        raise ImportError(
            f"residscope has no front end here ({STATIC} holds no bundles): in a checkout run `make build`, "
            "elsewhere reinstall residscope"
        )


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
