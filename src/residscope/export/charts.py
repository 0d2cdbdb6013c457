"""Bars, curves, tokens and tables."""

import itertools

import numpy as np

from residscope.export.colours import ACCENT, HAIR, INK, LEVELS, SOFT, colour, ink_on, level
from residscope.export.figure import Bars, Chips, Curve, Numbers, Table
from residscope.export.pen import MONO, Pen, Size, width_of
from residscope.export.words import measured, number, shorten, visible

_SIZE = 11
_MOST_TOKENS = 400
_CHIP = 20
_TALL = (320, 84)
_BAR_LINES = [(48, 15.0), (72, 12.0)]
"""Up to how many bars each has a line of this height; of more, those whose name and number would touch lose them."""
_THINNEST, _LINE_OF_TEXT = 8.0, 12.0


def draw_bars(pen: Pen, block: Bars, room: float) -> Size:
    """Draw horizontal bars about zero, the first at the bottom; return the size."""
    line = next((height for most, height in _BAR_LINES if len(block.labels) <= most), _THINNEST)
    left = max((width_of(label, _SIZE) for label in block.labels), default=0) + 10
    right = min(room, 640) - 64
    every = np.concatenate([np.ravel(block.values), np.ravel(block.spread if block.spread is not None else [])])
    low, high = float(np.nanmin(every, initial=0)), float(np.nanmax(every, initial=0))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return left + (value - low) / span * (right - left)

    bottom = len(block.labels) * line
    written, size = _apart(block.values, line), _SIZE if line > _LINE_OF_TEXT else _SIZE - 1
    shades = np.ones(len(block.values)) if block.shades is None else block.shades
    for at, (label, value) in enumerate(zip(block.labels, block.values.tolist(), strict=True)):
        y = bottom - (at + 1) * line
        if at in written:
            pen.text(left - 8, y + line / 2 + 3.5, label, size=size, fill=SOFT, anchor="end")
            pen.text(right + 58, y + line / 2 + 3.5, number(value, sign=True), size=size, fill=SOFT, anchor="end")
        if np.isnan(value):
            continue
        step = level("signed", float(np.sign(value)) * float(shades[at]), 1.0)
        thick = 3.0 if "bias" in label else line - 5
        middle = y + line / 2
        pen.box(min(x(0), x(value)), middle - thick / 2, abs(x(value) - x(0)), thick, fill=colour("signed", step))
        if block.spread is not None:
            dots = [one for one in block.spread[:, at].tolist() if not np.isnan(one)]
            pen.dots(((x(one), middle) for one in dots), 1.8, INK)
    pen.line([(x(0), 0), (x(0), bottom + 4)], SOFT)
    for value in (low, 0.0, high):
        if value and abs(x(value) - x(0)) < 40:
            continue  # it would touch the zero
        pen.text(x(value), bottom + 18, number(value, sign=True), size=_SIZE, fill=SOFT, anchor="middle")
    return right + 58, bottom + 24


def _apart(values: Numbers, line: float) -> set[int]:
    """Return which bars have room for a name and a number: of those that would touch, the largest."""
    kept: set[int] = set()
    for at in np.argsort(-np.abs(np.nan_to_num(values)), kind="stable").tolist():
        if all(abs(at - other) * line >= _LINE_OF_TEXT for other in kept):
            kept.add(at)
    return kept


def draw_curve(pen: Pen, block: Curve, _room: float) -> Size:
    """Draw a number along named steps; return the size."""
    width, height = _TALL
    pen.text(0, 12, measured(block.name, block.unit), size=_SIZE, fill=SOFT)
    values = block.values
    low, high = float(np.nanmin(values, initial=0)), float(np.nanmax(values, initial=0))
    span = (high - low) or 1.0
    chart, last = pen.moved(48, 22), max(1, len(values) - 1)

    def y(value: float) -> float:
        return height * (1 - (value - low) / span)

    chart.line([(0, y(0)), (width, y(0))], HAIR)
    for there, steps in itertools.groupby(range(len(values)), lambda at: not np.isnan(values[at])):
        if there:
            points = [(at / last * width, y(float(values[at]))) for at in steps]
            chart.line(points, ACCENT, 1.5)
            chart.dots(points, 2, ACCENT)
    for value in {low, high}:
        chart.text(-6, y(value) + 4, number(value), size=_SIZE, fill=SOFT, anchor="end")
    for anchor, x, step in (("start", 0, block.steps[0]), ("end", width, block.steps[-1])):
        chart.text(x, height + 16, step, size=_SIZE, fill=SOFT, anchor=anchor)
    return width + 60, height + 44


def draw_chips(pen: Pen, block: Chips, room: float) -> Size:
    """Draw the tokens of a prompt, the last of a long one; return the size."""
    first = max(0, len(block.texts) - _MOST_TOKENS)
    x, y = 0.0, 6.0
    if first:
        pen.text(0, y + 13, f"{first:,} earlier tokens are left out", size=_SIZE, fill=SOFT)
        y += _CHIP
    for at in range(first, len(block.texts)):
        words = shorten(visible(block.texts[at]), 40)
        width = width_of(words, 13, MONO) + 6
        if x + width > room and x > 0:
            x, y = 0.0, y + _CHIP + 4
        ground = None
        if block.values is not None and not np.isnan(block.values[at]):
            ground = colour(block.scale, level(block.scale, float(block.values[at]), block.high))
            pen.box(x, y, width, _CHIP - 2, fill=ground, round=3)
        if at == block.ringed:
            pen.box(x, y, width, _CHIP - 2, stroke=ACCENT, round=3)
        ink = ink_on(ground) if ground else SOFT if at in block.soft else INK
        pen.text(x + 3, y + 13, words, size=13, font=MONO, fill=ink)
        if at == block.target_position:
            pen.text(x + width - 3, y, "⚑", size=9, fill=ACCENT)
        x += width + 2
        if block.texts[at].endswith("\n"):
            x, y = 0.0, y + _CHIP + 4
    y += _CHIP
    if block.values is not None:
        y += 18
        low = 0.0 if block.scale == "sequential" else -block.high
        pen.text(0, y, f"{number(low, sign=True)}", size=_SIZE, fill=SOFT)
        for step in range(LEVELS):
            pen.box(44 + step * 1.5, y - 8, 1.9, 6, fill=colour(block.scale, step))
        high = f"{number(block.high, sign=block.scale != 'sequential')} {block.unit}".rstrip()
        pen.text(148, y, measured(high, block.name), size=_SIZE, fill=SOFT)
    return room, y + 4


def draw_table(pen: Pen, block: Table, _room: float) -> Size:
    """Draw rows of a text and a number under a heading; return the size."""
    rows = [(shorten(visible(left), 24), right) for left, right in block.rows]
    width = max((width_of(left, 12, MONO) for left, _ in rows), default=0) + 64
    width = max(width, width_of(block.heading, _SIZE), 112)
    pen.text(0, 12, block.heading, size=_SIZE, fill=SOFT)
    for at, (left, right) in enumerate(rows):
        pen.text(0, 30 + 17 * at, left, font=MONO)
        pen.text(width, 30 + 17 * at, right, anchor="end")
    return width, 24.0 + 17 * len(rows)
