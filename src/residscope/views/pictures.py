"""Quantities as still pictures, each with a line of words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from residscope.export.colours import MLP_SHADE, Scale
from residscope.export.figure import Bars, Block, Chips, Curve, Figure, Heading, Map, Table
from residscope.export.words import number, visible
from residscope.given import Given, Run
from residscope.header import tokens_of
from residscope.live.shared import Selection
from residscope.quantity import TOKEN_AXES, Quantity
from residscope.runs.trace import Trace
from residscope.views.captions import facts
from residscope.views.quantities import labels_of, shown
from residscope.views.quantity_words import HEADS, Said, Show, end_words, mean_words, sentence, sum_words, what_words
from residscope.views.target_words import TargetWords, aims_of, target_words
from residscope.views.templates import WORDS, fill

LISTED = 3


@dataclass(frozen=True)
class _Drawn:
    """A quantity as it is drawn: what is said of it, the run that it is of, and what is selected."""

    said: Said
    run: Run
    selection: Selection

    @property
    def one(self) -> Quantity:
        return self.said.one

    @property
    def row(self) -> int | None:
        return self.said.row


def figure(title: str, quantities: list[Quantity], run: Run, selection: Selection) -> Figure:
    """Return a view's quantities as a still picture."""
    blocks: list[Block] = []
    told: list[str] = []
    what = ""
    drawn = [_drawn(every, run, selection) for every in quantities]
    for each in drawn:
        if len(quantities) > 1:
            blocks.append(Heading(what_words(each.said)))
        else:
            what = what_words(each.said)
        if each.said.show == "change":
            of_changes = [other for other in drawn if other.said.show == "change" and other.one.unit == each.one.unit]
            high = max(other.one.limit for other in of_changes) or None
            each = replace(each, said=replace(each.said, one=replace(each.one, high=high)))
        blocks += _blocks(each, headed=len(quantities) > 1)
        told += [_of_rows(each), sum_words(each.said.of.checks, each.row)]
    return Figure(title, what, facts(run, *dict.fromkeys(told)), _summary(drawn), blocks)


def summary(quantities: list[Quantity], run: Run, selection: Selection) -> str:
    """Say in a line what is shown: of each quantity the selected cell, and the strongest."""
    return _summary([_drawn(every, run, selection) for every in quantities])


def said_of(every: Quantity, run: Run, selection: Selection, target: TargetWords | None) -> Said:
    """Return what is on screen of a quantity, as it is spoken of."""
    one, row = shown(every, selection, len(run.lengths))
    show: Show = "now" if every.reference is None else cast("Show", selection.show)

    def name(at: int) -> str:
        return _name(one, [int(index) for index in np.unravel_index(at, one.values.shape)], run, row)

    return Said(every, one, show, row, name, target)


def _drawn(every: Quantity, run: Run, selection: Selection) -> _Drawn:
    said = said_of(every, run, selection, None)
    if isinstance(run, Trace) and every.checks:
        said = replace(said, target=target_words(aims_of(run), said.row))
    return _Drawn(said, run, selection)


def _summary(drawn: list[_Drawn]) -> str:
    words = []
    for each in drawn:
        words.append(sentence(each.said, _chosen(each)))
        words += [f"The sum check fails: {check.reason}." for check in each.said.of.checks if not check.ok][:1]
    return " ".join(words)


def _blocks(drawn: _Drawn, *, headed: bool) -> list[Block]:
    every, one, run, row, selection = drawn.said.of, drawn.one, drawn.run, drawn.row, drawn.selection
    labels = labels_of(one, run)
    # Of several, each has a heading that says it.
    name, unit = ("", "") if headed else (one.name, one.unit)
    values = one.values
    if len(one.dims) == 2:
        return _map(drawn)
    if not one.dims or (labels is not None and one.dims[0] not in TOKEN_AXES):
        texts = [one.name] if labels is None else labels.reshape(-1).tolist()
        pairs = zip(texts, values.reshape(-1).tolist(), strict=True)
        signed = one.scale == "signed"
        return [Table(name, [(text, number(value, sign=signed)) for text, value in pairs if not np.isnan(value)])]
    axis = one.dims[0]
    ticks = _ticks(one, axis, run, row)
    if axis in ("depth", "layer"):
        return [Curve(ticks, values, name, unit)]
    if axis in TOKEN_AXES:
        length = len(ticks)
        return [
            Chips(
                ticks,
                None,
                _along(axis, run, row, selection),
                values[:length],
                one.limit,
                name,
                unit,
                scale=_scale(every, one),
            )
        ]
    mean = "row" in every.dims and row is None and every.n_rows > 1 and selection.show != "change"
    shades = np.array([MLP_SHADE if tick.endswith(".mlp") else 1.0 for tick in ticks])
    spread = every.reference if selection.show == "before" and every.reference is not None else every.values
    return [Bars(ticks, values, name, unit, spread if mean else None, shades)]


def _map(drawn: _Drawn) -> list[Block]:
    one, run, row, selection = drawn.one, drawn.run, drawn.row, drawn.selection
    down, across = one.dims
    rows, cols = _ticks(one, down, run, row), _ticks(one, across, run, row)
    values = one.values[: len(rows), : len(cols)]
    labels = labels_of(one, run)
    ringed = tuple(_along(axis, run, row, selection) for axis in one.dims)
    if one.dims == HEADS:
        head = selection.head
        ringed = head if head and head[0] < len(rows) and head[1] < len(cols) else (None, None)
    cells = Map(
        values,
        rows,
        cols,
        _scale(drawn.said.of, one),
        one.limit,
        one.name,
        one.unit,
        texts=None if labels is None else labels.tolist(),
        ringed=None if ringed == (None, None) else (ringed[0], ringed[1]),
        upward=down in ("layer", "depth"),
        tokens=across in TOKEN_AXES,
    )
    return [cells, *_lists(drawn.said)] if one.dims == HEADS else [cells]


def _lists(said: Said) -> list[Block]:
    """Return the strongest heads of either side, as tables."""
    values, signed = said.values, said.one.scale == "signed"
    order = [int(at) for at in np.argsort(-np.nan_to_num(values), kind="stable")]
    above = [at for at in order if values[at] > 0]
    below = [at for at in reversed(order) if values[at] < 0]
    high, low = end_words(said)
    ends = [(high, above[:LISTED]), (low, below[:LISTED])] if signed else [(high, above[: 2 * LISTED])]
    return [
        Table(
            words,
            [(said.name(at), number(float(values[at]), sign=signed)) for at in listed] or [(WORDS["end_none"], "")],
        )
        for words, listed in ends
    ]


def _of_rows(drawn: _Drawn) -> str:
    """Say over how many prompts a mean goes, or which prompt is shown where there is no mean."""
    every, row, rows = drawn.said.of, drawn.row, len(drawn.run.lengths)
    if every.has_tokens:
        return fill("one_prompt", row=row, all=rows) if row is not None and rows > 1 else ""
    return mean_words(every.values, row) if "row" in every.dims and every.n_rows > 1 else ""


def _scale(every: Quantity, one: Quantity) -> Scale:
    """Return the scale of what is shown; a change gets other colours than a signed number."""
    return "changed" if one.scale == "signed" != every.scale else one.scale


def _ticks(one: Quantity, axis: str, run: Run, row: int | None) -> list[str]:
    """Return the ticks along an axis."""
    if axis in one.coords:
        return list(one.coords[axis])
    size = one.size(axis)
    if axis == "layer":
        return [f"L{layer}" for layer in range(size)]
    if axis == "depth" and len(run.depths) == size:
        return list(run.depths)
    if axis in TOKEN_AXES:
        return (_tokens(run, row or 0) or list(map(str, range(size))))[:size]
    return [str(at) for at in range(size)]


def _tokens(run: Run, row: int) -> list[str]:
    if isinstance(run, Given):
        return [visible(token) for token in run.tokens[row]] if run.tokens else []
    return tokens_of(run, row)


def _name(one: Quantity, cell: Sequence[int], run: Run, row: int | None) -> str:
    """Name a cell: "L3H1", "embed", "L3, ·to (14)"."""
    if one.dims == HEADS:
        return f"L{cell[0]}H{cell[1]}"
    names = []
    for axis, at in zip(one.dims, cell, strict=True):
        tick = _ticks(one, axis, run, row)[at]
        is_token = axis in TOKEN_AXES and (isinstance(run, Trace) or bool(run.tokens))
        plain = axis in ("component", "layer", "depth")
        names.append(f"{tick} ({at})" if is_token else tick if plain or not tick.isdigit() else f"{axis} {tick}")
    return ", ".join(names)


def _chosen(drawn: _Drawn) -> int | None:
    """Return the cell that the selection means, or the pinned part, or None."""
    one, run, row, selection = drawn.one, drawn.run, drawn.row, drawn.selection
    if drawn.said.is_parts:
        names = one.names("component")
        pinned = [name for name in selection.pinned if name in names]
        return names.index(pinned[-1]) if pinned else None
    if one.dims == HEADS:
        at: tuple[int | None, ...] = selection.head or (None, None)
    else:
        at = tuple(_along(axis, run, row, selection) for axis in one.dims)
    if not at or any(index is None or index >= size for index, size in zip(at, one.values.shape, strict=True)):
        return None
    return int(np.ravel_multi_index([index for index in at if index is not None], one.values.shape))


def _along(axis: str, run: Run, row: int | None, selection: Selection) -> int | None:
    """Return where along an axis the selection stands, or None."""
    if axis == "depth":
        return int(selection.depth)
    if axis == "layer":
        name = run.depths[selection.depth] if selection.depth < len(run.depths) else ""
        layer = name.partition(".")[0]
        return int(layer) if layer.isdecimal() else run.n_layers - 1 if name == "output" else None
    if axis in ("pos", "query"):
        if selection.position is not None:
            return int(selection.position)
        return None if isinstance(run, Given) else int(run.target.positions[row or 0])
    return selection.key if axis == "key" else None
