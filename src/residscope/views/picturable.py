"""What views and boxes have in common: still pictures, and how a notebook shows them."""

from typing import Any

from residscope.export.figure import Figure
from residscope.export.mime import display
from residscope.export.svg import WIDTH, png, svg
from residscope.live import rerun
from residscope.live.widget import Widget
from residscope.views.display import Part, show

CLOSED = "this view is closed: make a new one"


class Picturable(Widget):
    """A widget that has still pictures."""

    _still: str
    """The name of its still picture, by which its source and the page know it, too."""

    @property
    def closed(self) -> bool:
        """Tell whether it is closed."""
        return self.comm is None

    def _figures(self) -> list[Figure]:
        """Return what it shows as still pictures, not yet drawn."""
        raise NotImplementedError

    def _figures_now(self) -> list[Figure]:
        """Return the same from what is there, computing nothing."""
        raise NotImplementedError

    def _lines(self) -> list[str]:
        """Return what it shows in words."""
        raise NotImplementedError

    def _parts(self) -> list[Part]:
        """Return the open views in it."""
        raise NotImplementedError

    def to_svg(self, width: float = WIDTH) -> str:
        """Return a still picture as SVG, this many pixels wide, on white.

        Raises:
            TypeError: for a width that is not a number, such as a file name.
        """
        _check_pixels(
            width, 'to_svg takes a width in pixels and returns the text: Path("a.svg").write_text(view.to_svg())'
        )
        return svg(self._figures(), round(width))

    def to_png(self, width: float = WIDTH, zoom: float = 2) -> bytes:
        """Return a still picture as PNG, with `zoom` pixels for each pixel of the SVG.

        Raises:
            TypeError: for a width that is not a number, such as a file name.
        """
        _check_pixels(
            width, 'to_png takes a width in pixels and returns bytes: Path("a.png").write_bytes(view.to_png())'
        )
        return png(self.to_svg(width), zoom)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        if self.closed:
            return {"text/plain": CLOSED}, {}
        bundled = super()._repr_mimebundle_(**kwargs)
        if bundled is not None:
            bundled[0]["text/plain"] = "\n".join(self._lines())
        return bundled

    def _ipython_display_(self, **kwargs: Any) -> None:
        # Of the class: ipywidgets takes the method from what is closed.
        bundled = None if self.closed else super()._repr_mimebundle_(**kwargs)
        if bundled is None:
            display(({"text/plain": CLOSED}, {}))
            return
        # The numbers are in the picture, and the frame does not wait for it.
        bundled[0]["text/plain"] = "\n".join(part.kind for part in self._parts()) or CLOSED
        rerun.shown(self)
        show(self._still, self._parts, self._figures_now, bundled)


def _check_pixels(width: Any, sentence: str) -> None:
    if isinstance(width, bool) or not isinstance(width, int | float):
        raise TypeError(sentence)
    if not 1 <= width < float("inf"):
        raise ValueError(f"a picture is at least one pixel wide, not {width}")
