"""Rows and columns of views, mounted by our own bundle, for hosts that cannot draw ipywidgets boxes."""

import uuid
from collections.abc import Iterable
from typing import Any

import anywidget
import traitlets

from residscope.export.figure import Figure
from residscope.live import rerun
from residscope.live.widget import bundle
from residscope.views.base import View
from residscope.views.display import Part
from residscope.views.picturable import CLOSED, Picturable


class Box(Picturable):
    """Views side by side or stacked, held by reference.

    Args:
        children: views, or other boxes.
    """

    children = traitlets.List(traitlets.Instance(anywidget.AnyWidget)).tag(
        sync=True, to_json=lambda value, _box: [f"anywidget:{child.model_id}" for child in value]
    )
    """The views, in order."""
    _layout = traitlets.Unicode("row").tag(sync=True)
    _areas = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _still = traitlets.Unicode("").tag(sync=True)

    def __init__(self, children: Iterable[anywidget.AnyWidget], *more: object, **traits: Any) -> None:
        name = type(self).__name__
        if more or not isinstance(children, Iterable):
            raise TypeError(f"{name} takes a list of views: {name}([heads, pattern])")
        children = list(children)
        for child in children:
            if not isinstance(child, anywidget.AnyWidget):
                raise TypeError(f"{name} holds residscope's views and other anywidgets, not {type(child).__name__}")
            if child.comm is None:
                raise ValueError(f"{name} cannot hold this {type(child).__name__}, which is closed: make a new one")
        module, style = bundle("box")
        super().__init__(_esm=module, _css=style, children=children, _still=uuid.uuid4().hex, **traits)
        rerun.note_made_by_cell(self._retire)

    def close(self) -> None:
        """Close the box and everything in it."""
        for child in self.children:
            child.close()
        super().close()

    def _retire(self) -> None:
        """Close the box but not the views in it, which may also be held elsewhere."""
        super().close()

    def _views(self) -> list[View]:
        """Return all views in it, in order."""
        inside = [child._views() if isinstance(child, Box) else [child] for child in self.children]
        return [child for children in inside for child in children if isinstance(child, View)]

    def _open_views(self) -> list[View]:
        return [view for view in self._views() if not view.closed]

    def _figures(self) -> list[Figure]:
        """Return the pictures of all views in it that are open, in order."""
        return [figure for view in self._open_views() for figure in view._figures()]

    def _figures_now(self) -> list[Figure]:
        """Return the same from what is there."""
        return [figure for view in self._open_views() for figure in view._figures_now()]

    def _parts(self) -> list[Part]:
        """Return the open views in it, in order."""
        return [part for view in self._views() for part in view._parts()]

    def _lines(self) -> list[str]:
        """Return the line of each view in it."""
        return [line for view in self._views() for line in ([CLOSED] if view.closed else view._lines())]


class Row(Box):
    """Views side by side; they wrap if there is no room."""

    def __init__(self, children: Iterable[anywidget.AnyWidget], *more: object) -> None:
        super().__init__(children, *more, _layout="row")


class Column(Box):
    """Views one below the other."""

    def __init__(self, children: Iterable[anywidget.AnyWidget], *more: object) -> None:
        super().__init__(children, *more, _layout="column")
