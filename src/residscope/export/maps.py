"""Maps of cells: labels, cells by colour, the ring, the scale beside."""

import bisect
import itertools
import math
from collections.abc import Sequence

import numpy as np

from residscope.export.colours import ACCENT, LEVELS, PAGE, SOFT, colour, ink_on, level
from residscope.export.figure import Map, Numbers
from residscope.export.pen import MONO, SANS, Pen, Size, width_of
from residscope.export.words import number, shorten, visible

MOST_CELLS = 96
"""Maps with more cells per side are drawn with fewer, each the largest number under it."""

MOST_THUMBNAIL_CELLS = 48

_SIZE, _LEGEND, _LEGEND_WIDTH = 11, 96, 60
_LONGEST = 20
_SLANT = math.radians(60)


def draw_map(pen: Pen, block: Map, room: float) -> Size:
    """Draw a map with its labels and scale; return the size."""
    values = pooled(block.values)
    rows, cols = (int(size) for size in values.shape)
    font = MONO if block.tokens else SANS
    row_labels, col_labels = (
        [_label(labels[at], block.tokens) for at in _edges(len(labels), MOST_CELLS)[:-1]]
        for labels in (block.rows, block.cols)
    )
    left = max((width_of(label, _SIZE, font) for label in row_labels), default=0.0) + 8
    longest = max((width_of(label, _SIZE, font) for label in col_labels), default=0.0)
    slanted = block.tokens and block.texts is None
    top = longest * math.sin(_SLANT) + 10 if slanted else 2.0
    across = room - left - _LEGEND_WIDTH - (longest * math.cos(_SLANT) if slanted else 0)
    if block.texts is None:
        width = height = min(24.0, across / cols, 440 / rows)
    else:
        width, height = min(88.0, across / cols), 18.0
    gap = 1 if min(width, height) >= 8 else 0
    cells = pen.moved(left, top)
    _paint(cells, block, values, width, height, gap)
    for row in _spaced(row_labels, height, 13):
        pen.text(
            left - 6,
            top + _line(block, rows, row) * height + height / 2 + 4,
            row_labels[row],
            size=_SIZE,
            font=font,
            fill=SOFT,
            anchor="end",
        )
    bottom = top + rows * height
    for col in _spaced(col_labels, width, 13 if slanted else longest + 4):
        middle = left + (col + 0.5) * width
        if slanted:
            pen.text(middle + 3, top - 5, col_labels[col], size=_SIZE, font=font, fill=SOFT, turn=-60)
        else:
            fits = max(1, int(width / width_of("m", _SIZE, font)))
            words = shorten(col_labels[col], fits) if block.texts is not None else col_labels[col]
            pen.text(middle, bottom + 14, words, size=_SIZE, font=font, fill=SOFT, anchor="middle")
    _ring(cells, block, values, width, height, gap)
    right = left + cols * width + 16 + (longest * math.cos(_SLANT) if slanted else 0)
    _legend(pen.moved(right, top), block)
    lowest = max(bottom + (0 if slanted else 20), top + _LEGEND + 8)
    if values.shape == block.values.shape:
        return right + _LEGEND_WIDTH, lowest
    words = pooling(block.values.shape, values.shape, block.name)
    pen.text(0, lowest + 16, words, size=_SIZE, fill=SOFT)
    return max(right + _LEGEND_WIDTH, width_of(words, _SIZE)), lowest + 22


def pooling(whole: Sequence[int], drawn: Sequence[int], name: str) -> str:
    """Say that a map of this size is drawn with fewer cells."""
    sizes = " as ".join(" by ".join(map(str, shape)) for shape in (whole, drawn))
    return f"each cell is the largest {name} under it: {sizes}"


def draw_thumbnail(pen: Pen, block: Map, side: float) -> None:
    """Draw a map's cells alone, as large as `side`."""
    values = pooled(block.values, MOST_THUMBNAIL_CELLS)
    rows, cols = (int(size) for size in values.shape)
    cell = side / max(rows, cols)
    _paint(pen, block, values, cell, cell, 0)


def pooled(values: Numbers, most: int = MOST_CELLS) -> Numbers:
    """Return a map of at most this many cells per side: each is the largest number under it, of either sign."""
    for axis in (0, 1):
        size = values.shape[axis]
        if size <= most:
            continue
        edges = _edges(size, most)
        parts = [np.take(values, range(a, b), axis) for a, b in itertools.pairwise(edges)]
        values = np.stack([_largest(part, axis) for part in parts], axis)
    return values


def _edges(size: int, most: int) -> list[int]:
    """Return where each of at most this many cells begins among those under it, and where the last ends."""
    cells = min(size, most)
    return [round(n * size / max(1, cells)) for n in range(cells + 1)]


def _largest(part: Numbers, axis: int) -> Numbers:
    sizes = np.where(np.isnan(part), -1.0, np.abs(part))
    return np.take_along_axis(part, sizes.argmax(axis, keepdims=True), axis).squeeze(axis)


def _paint(pen: Pen, block: Map, values: Numbers, width: float, height: float, gap: int) -> None:
    rows = len(values)
    by_level: dict[int, list[tuple[int, int]]] = {}
    for row, col in zip(*np.nonzero(~np.isnan(values)), strict=True):
        by_level.setdefault(level(block.scale, float(values[row, col]), block.high), []).append((int(row), int(col)))
    for step in sorted(by_level):
        ground = colour(block.scale, step)
        corners = [(col * width, _line(block, rows, row) * height) for row, col in by_level[step]]
        pen.boxes(corners, width - gap, height - gap, ground)
        if block.texts is None:
            continue
        fits = max(1, int((width - 6) / width_of("m", _SIZE, MONO)))
        for (row, col), (x, y) in zip(by_level[step], corners, strict=True):
            words = shorten(visible(block.texts[row][col]), fits)
            pen.text(
                x + width / 2, y + height / 2 + 3.5, words, size=_SIZE, font=MONO, fill=ink_on(ground), anchor="middle"
            )


def _ring(pen: Pen, block: Map, values: Numbers, width: float, height: float, gap: int) -> None:
    if block.ringed is None:
        return
    rows, cols = (int(size) for size in values.shape)
    row, col = (
        at if at is None else bisect.bisect_right(_edges(size, MOST_CELLS), at) - 1
        for at, size in zip(block.ringed, block.values.shape, strict=True)
    )
    if (row is not None and row >= rows) or (col is not None and col >= cols):
        return
    x, across = (0, cols) if col is None else (col, 1)
    y, down = (0, rows) if row is None else (_line(block, rows, row), 1)
    # A row of a triangle ends where its cells end.
    if row is not None and col is None:
        across = int((~np.isnan(values[row])).nonzero()[0].max(initial=0)) + 1
    at, size = (x * width - 1, y * height - 1), (across * width - gap + 2, down * height - gap + 2)
    pen.box(*at, *size, stroke=PAGE)
    pen.box(*at, *size, stroke=ACCENT)


def _legend(pen: Pen, block: Map) -> None:
    for step in range(LEVELS):
        y = _LEGEND * (1 - (step + 1) / LEVELS)
        pen.box(0, y, 6, _LEGEND / LEVELS + 0.4, fill=colour(block.scale, step))
    signed = block.scale != "sequential"
    ends = [(1.0, block.high), (0.0, -block.high if signed else 0.0)] + ([(0.5, 0.0)] if signed else [])
    for share, value in ends:
        pen.text(11, _LEGEND * (1 - share) + 4, number(value, sign=signed), size=_SIZE, fill=SOFT)


def _line(block: Map, rows: int, row: int) -> int:
    return rows - 1 - row if block.upward else row


def _label(label: str, token: bool) -> str:
    return shorten(visible(label) if token else label, _LONGEST)


def _spaced(labels: list[str], cell: float, needed: float) -> list[int]:
    """Return which labels are drawn so that none touch: the first, the last, and an even choice between."""
    if not labels:
        return []
    every = max(1, math.ceil(needed / max(cell, 0.01)))
    last = len(labels) - 1
    kept = [at for at in range(0, last + 1, every) if at == last or last - at >= every or at == 0]
    return kept if last in kept or last == 0 else [*kept, last]
