"""A still picture of one view or several, as SVG text and as PNG."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from residscope.export.charts import draw_bars, draw_chips, draw_curve, draw_table
from residscope.export.colours import AMBER, HAIR, INK, PAGE, SOFT
from residscope.export.figure import Bars, Block, Chips, Curve, Figure, Group, Heading, Map, Table
from residscope.export.maps import MOST_THUMBNAIL_CELLS, draw_map, draw_thumbnail, pooled, pooling
from residscope.export.pen import Pen, Size, width_of
from residscope.export.words import lines, shorten

WIDTH = 720
_EDGE, _BETWEEN, _THUMBNAIL, _LINE = 12, 12, 64, 17
_FONTS = Path(__file__).parents[1] / "data" / "fonts"


def svg(figures: Sequence[Figure], width: int = WIDTH) -> str:
    """Draw figures one below the other, on white.

    Args:
        figures: what to draw.
        width: in pixels.
    """
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    ElementTree.SubElement(root, "title").text = "\n".join(figure.said for figure in figures)
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
    y = _draw_title(pen, figure, room)
    pen.line([(0, y + 8), (room, y + 8)], HAIR)
    y += 18
    y += _flow(pen.moved(0, y), figure.blocks, room)
    for words, ink in [(figure.sentence, INK), *((note, AMBER) for note in figure.notes)]:
        for line in lines(words, int(min(room, 620) / width_of("m", 13))):
            y += 18
            pen.text(0, y, line, size=13, fill=ink)
    return y + 8


def _draw_title(pen: Pen, figure: Figure, room: float) -> float:
    """Write the name, what is shown and the facts, on lines of their own where they need them; return the last base."""
    y, start, each = 12.0, width_of(figure.title, 13) + 10, width_of("m", 12)
    pen.text(0, y, figure.title, bold=True)
    facts = width_of(figure.facts, 12) + 12 if figure.facts else 0.0
    if start + facts > room:
        y += _LINE
        pen.text(0, y, shorten(figure.facts, int(room / each)), fill=SOFT)
    else:
        pen.text(room, y, figure.facts, fill=SOFT, anchor="end")
        if start + len(figure.what) * each + facts <= room:
            pen.text(start, y, figure.what, fill=SOFT)
            return y
    if figure.what:
        y += _LINE
        pen.text(0, y, shorten(figure.what, int(room / each)), fill=SOFT)
    return y


def _flow(pen: Pen, blocks: Sequence[Block], room: float) -> float:
    """Draw blocks side by side as far as there is room, then below; return the height."""
    x = y = tallest = 0.0
    for block in blocks:
        own = pen.moved(0, 0)
        width, height = _draw_block(own, block, room)
        if x and (x + width > room or isinstance(block, Heading)):
            x, y, tallest = 0.0, y + tallest + _BETWEEN, 0.0
        own.place(x, y)
        x, tallest = x + width + 2 * _BETWEEN, max(tallest, height)
        if isinstance(block, Heading):
            x, y, tallest = 0.0, y + height, 0.0
    return y + tallest + _BETWEEN


def _draw_block(pen: Pen, block: Block, room: float) -> Size:
    match block:
        case Heading():
            pen.text(0, 12, shorten(block.words, int(room / width_of("m", 12))), fill=SOFT)
            return room, 20.0
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
    height = -(-len(block.members) // across) * (_THUMBNAIL + 26.0)
    for _, member in block.members[:1]:
        small = pooled(member.values, MOST_THUMBNAIL_CELLS)
        if small.shape != member.values.shape:
            pen.text(0, height + 8, pooling(member.values.shape, small.shape, member.name), size=11, fill=SOFT)
            height += 14
    return room, height
