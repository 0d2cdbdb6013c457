"""Marks on an SVG picture; texts and attributes are escaped by the library that writes the XML."""

from collections.abc import Iterable
from xml.etree import ElementTree

from residscope.export.colours import INK

SANS = "DejaVu Sans, system-ui, sans-serif"
MONO = "DejaVu Sans Mono, ui-monospace, monospace"
ADVANCE = {SANS: 0.59, MONO: 0.602}
"""The mean width of a character, in units of the font's size."""


class Pen:
    """Draws into one SVG element, from its own left upper corner."""

    def __init__(self, parent: ElementTree.Element) -> None:
        self._parent = parent

    def moved(self, x: float, y: float) -> "Pen":
        """Return a pen whose corner is elsewhere."""
        pen = Pen(self._add("g"))
        pen.place(x, y)
        return pen

    def place(self, x: float, y: float) -> None:
        """Move all that this pen has drawn, and will draw, to a corner of its parent's."""
        self._parent.set("transform", f"translate({_short(x)} {_short(y)})")

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 12,
        font: str = SANS,
        fill: str = INK,
        anchor: str = "start",
        bold: bool = False,
        turn: float = 0,
    ) -> None:
        """Write a line whose base begins, or as `anchor` says, at a point; an empty one leaves no mark."""
        if not words:
            return
        extra = {"font-weight": "600"} if bold else {}
        if turn:
            extra["transform"] = f"rotate({_short(turn)} {_short(x)} {_short(y)})"
        attributes = {"font-size": _short(size), "font-family": font, "fill": fill, "text-anchor": anchor}
        attributes |= {"x": _short(x), "y": _short(y), "xml:space": "preserve"} | extra
        ElementTree.SubElement(self._parent, "text", attributes).text = words

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: str = "none", stroke: str = "", round: float = 0
    ) -> None:
        """Fill or frame a rectangle."""
        around = {"stroke": stroke, "stroke-width": "2"} if stroke else {}
        corner = {"rx": _short(round)} if round else {}
        sizes = {"x": _short(x), "y": _short(y), "width": _short(width), "height": _short(height)}
        self._add("rect", **sizes, fill=fill, **around, **corner)

    def boxes(self, corners: Iterable[tuple[float, float]], width: float, height: float, fill: str) -> None:
        """Fill many rectangles of one size and one colour as one path."""
        move = f"h{_short(width)}v{_short(height)}h{_short(-width)}z"
        self._add("path", d="".join(f"M{_short(x)} {_short(y)}{move}" for x, y in corners), fill=fill)

    def line(self, points: Iterable[tuple[float, float]], stroke: str, width: float = 1) -> None:
        """Draw a line through points."""
        path = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
        self._add("polyline", points=path, fill="none", stroke=stroke, **{"stroke-width": _short(width)})

    def dots(self, points: Iterable[tuple[float, float]], radius: float, fill: str) -> None:
        """Draw dots at points."""
        for x, y in points:
            self._add("circle", cx=_short(x), cy=_short(y), r=_short(radius), fill=fill)

    def _add(self, name: str, **attributes: str) -> ElementTree.Element:
        return ElementTree.SubElement(self._parent, name, attributes)


Size = tuple[float, float]
"""The width and the height that something takes."""


def width_of(words: str, size: float, font: str = SANS) -> float:
    """Return about how wide a line of text is."""
    return len(words) * ADVANCE[font] * size


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
