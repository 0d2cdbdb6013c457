"""A still picture of one view or several, as SVG text and as PNG."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from residscope.export.charts import draw_bars, draw_chips, draw_curve, draw_table
from residscope.export.colours import HAIR, PAGE, SOFT
from residscope.export.maps import draw_map, draw_thumbnail
from residscope.export.pen import Pen, Size, width_of
from residscope.export.words import lines, shorten
from residscope.figure import Bars, Block, Chips, Curve, Figure, Group, Map, Table

WIDTH = 720
_EDGE, _BETWEEN, _THUMBNAIL = 12, 12, 64
_FONTS = Path(__file__).parents[1] / "data" / "fonts"


def svg(figures: Sequence[Figure], width: int = WIDTH) -> str:
    """Draw figures one below the other, on white.

    Args:
        figures: what to draw.
        width: in pixels.
    """
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    ElementTree.SubElement(root, "title").text = "\n".join(figure.sentence for figure in figures)
    ground = ElementTree.SubElement(root, "rect", {"fill": PAGE})
    y = float(_EDGE)
    for figure in figures:
        y += _draw(Pen(root).moved(_EDGE, y), figure, width - 2 * _EDGE) + _EDGE
    size = {"width": str(width), "height": str(round(y))}
    root.attrib |= size | {"viewBox": f"0 0 {width} {round(y)}"}
    ground.attrib |= size
    return ElementTree.tostring(root, encoding="unicode")


def png(picture: str, zoom: float = 2) -> bytes:
    """Turn an SVG picture into a PNG, `zoom` pixels to each of its own."""
    # Imported here: only pictures need it.
    from resvg_py import svg_to_bytes

    return bytes(svg_to_bytes(svg_string=picture, zoom=zoom, font_files=[str(font) for font in _FONTS.glob("*.ttf")]))


def _draw(pen: Pen, figure: Figure, room: float) -> float:
    """Draw one figure; return its height."""
    pen.text(0, 12, figure.title, bold=True)
    pen.text(room, 12, figure.facts, fill=SOFT, anchor="end")
    start = width_of(figure.title, 13) + 10
    fits = int((room - start - width_of(figure.facts, 12) - 12) / width_of("m", 12))
    pen.text(start, 12, shorten(figure.what, max(8, fits)), fill=SOFT)
    pen.line([(0, 20), (room, 20)], HAIR)
    y = 30 + _flow(pen.moved(0, 30), figure.blocks, room)
    for line in lines(figure.sentence, int(min(room, 620) / width_of("m", 13))):
        y += 18
        pen.text(0, y, line, size=13)
    return y + 8


def _flow(pen: Pen, blocks: Sequence[Block], room: float) -> float:
    """Draw blocks side by side as far as there is room, then below; return the height."""
    x = y = tallest = 0.0
    for block in blocks:
        own = pen.moved(0, 0)
        width, height = _draw_block(own, block, room)
        if x and x + width > room:
            x, y, tallest = 0.0, y + tallest + _BETWEEN, 0.0
        own.place(x, y)
        x, tallest = x + width + 2 * _BETWEEN, max(tallest, height)
    return y + tallest + _BETWEEN


def _draw_block(pen: Pen, block: Block, room: float) -> Size:
    match block:
        case Map():
            return draw_map(pen, block, room)
        case Bars():
            return draw_bars(pen, block, room)
        case Curve():
            return draw_curve(pen, block, room)
        case Chips():
            return draw_chips(pen, block, room)
        case Table():
            return draw_table(pen, block, room)
        case Group():
            return _draw_group(pen, block, room)


def _draw_group(pen: Pen, block: Group, room: float) -> Size:
    """Draw small maps in lines."""
    across = max(1, int(room // (_THUMBNAIL + 24)))
    for at, (name, member) in enumerate(block.members):
        own = pen.moved(at % across * (_THUMBNAIL + 24), at // across * (_THUMBNAIL + 26))
        own.text(0, 10, name, size=11, fill=SOFT)
        draw_thumbnail(own.moved(0, 14), member, _THUMBNAIL)
    return room, -(-len(block.members) // across) * (_THUMBNAIL + 26)
