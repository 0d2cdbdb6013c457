"""Rows and columns of views, mounted by our own bundle: hosts that draw no ipywidgets boxes draw these."""

import uuid
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from residscope import cells
from residscope.export.mime import display_with_still
from residscope.synced import SyncedWidget, bundle
from residscope.views.base import View


class Box(SyncedWidget):
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

    def __init__(self, children: Sequence[anywidget.AnyWidget], **traits: Any) -> None:
        if isinstance(children, anywidget.AnyWidget):
            raise TypeError(f"{type(self).__name__} takes a list of views: {type(self).__name__}([heads, pattern])")
        children = list(children)
        for child in children:
            if not isinstance(child, anywidget.AnyWidget):
                raise TypeError(
                    f"{type(self).__name__} holds residscope's views and other anywidgets, not {type(child).__name__}"
                )
        module, style = bundle("box")
        super().__init__(_esm=module, _css=style, children=children, _still=uuid.uuid4().hex, **traits)
        cells.made(self)

    def close(self) -> None:
        """Close the box and all it holds."""
        for child in self.children:
            child.close()
        super().close()

    def retire(self) -> None:
        """Close the box alone: the cell that made it has made another, which may hold the same views."""
        super().close()

    def views(self) -> list[View]:
        """Return all views in it, in order."""
        inside = [child.views() if isinstance(child, Box) else [child] for child in self.children]
        return [child for children in inside for child in children if isinstance(child, View)]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundled = super()._repr_mimebundle_(**kwargs)
        if bundled is not None:
            bundled[0]["text/plain"] = "\n".join(view.line() for view in self.views())
        return bundled

    def _ipython_display_(self, **kwargs: Any) -> None:
        bundled = self._repr_mimebundle_(**kwargs)
        if bundled is not None:
            figures = [view.figure(view.experiment.trace) for view in self.views()]
            display_with_still(bundled, figures, self._still)


class Row(Box):
    """Views side by side; they wrap where there is no room."""

    def __init__(self, children: Sequence[anywidget.AnyWidget]) -> None:
        super().__init__(children, _layout="row")


class Column(Box):
    """Views one below the other."""

    def __init__(self, children: Sequence[anywidget.AnyWidget]) -> None:
        super().__init__(children, _layout="column")
