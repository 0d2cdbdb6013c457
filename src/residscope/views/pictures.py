"""Quantities as still pictures, each with a line of words."""

from dataclasses import replace

import numpy as np

from residscope.export.colours import MLP_SHADE, Scale
from residscope.export.figure import Bars, Block, Chips, Curve, Figure, Heading, Map, Table
from residscope.export.words import measured, number, visible
from residscope.given import Given
from residscope.header import tokens_of
from residscope.live.shared import Selection
from residscope.quantity import TOKEN_AXES, Quantity
from residscope.runs.trace import Trace
from residscope.views.captions import caption, effect_words, ends_words, facts, mean_words, sum_facts, target_name
from residscope.views.quantities import labels_of, shown

LISTED = 3
HEADS = ("layer", "head")
CHANGE = "change of "

Run = Trace | Given
Cell = tuple[int, ...]


def figure(title: str, quantities: list[Quantity], run: Run, selection: Selection) -> Figure:
    """Return a view's quantities as a still picture."""
    blocks: list[Block] = []
    told: list[str] = []
    what = ""
    drawn = [(every, *shown(every, selection, len(run.lengths))) for every in quantities]
    for every, one, row in drawn:
        if one.name.startswith(CHANGE):
            alike = [other.limit for _, other, _ in drawn if other.name.startswith(CHANGE) and other.unit == one.unit]
            one = replace(one, high=max(alike) or None)
        words = measured(_called(every, run, row, selection), one.unit)
        if len(quantities) > 1:
            blocks.append(Heading(words))
        else:
            what = words
        blocks += _blocks(every, one, run, row, selection, headed=len(quantities) > 1)
        told += [_of_rows(every, row, run), sum_facts(every.checks, row)]
    facts_told = facts(run, *dict.fromkeys(told))
    return Figure(title, what, facts_told, caption(summary(quantities, run, selection)), blocks)


def summary(quantities: list[Quantity], run: Run, selection: Selection) -> str:
    """Return one line that says what is shown: each quantity, its strongest cell and the selected one."""
    said = []
    for every in quantities:
        one, row = shown(every, selection, len(run.lengths))
        failed = [f"sum check fails: {check.reason}" for check in every.checks if not check.ok]
        said.append([*_summary(every, one, run, row, selection), *failed[:1]])
    return "; ".join(", ".join(words) if len(said) > 1 else "; ".join(words) for words in said)


def is_of_target(one: Quantity, selection: Selection) -> bool:
    """Tell whether numbers are parts of the target: they have a sign, and a check of their sum."""
    now = one.reference is None or selection.show == "now"
    return bool(one.checks) and one.scale == "signed" and now


def _summary(every: Quantity, one: Quantity, run: Run, row: int | None, selection: Selection) -> list[str]:
    heads = one.dims == HEADS
    signed = one.scale == "signed"
    if is_of_target(every, selection) and isinstance(run, Trace):
        words = [effect_words(run, every.name, row)]
    else:
        mean = _of_rows(every, row, run) if not (signed and isinstance(run, Given)) else ""
        words = [", ".join(filter(None, [_called(every, run, row, selection), mean]))]
    values = one.values
    if heads and signed and (isinstance(run, Given) or is_of_target(every, selection)):
        words[0] += f"; all heads together {number(float(np.nansum(values)), sign=True)}"
    if np.isnan(values).all():
        return [*words, "no head has a number" if heads else "there are no numbers"]
    sizes = np.abs(np.nan_to_num(values))
    strongest = tuple(int(at) for at in np.unravel_index(sizes.argmax(), values.shape))
    words.append(f"strongest {_name(one, strongest, run, row)} {number(float(values[strongest]), sign=signed)}")
    chosen = _chosen(one, run, row, selection)
    if chosen and chosen != strongest and not np.isnan(values[chosen]):
        words.append(f"{_name(one, chosen, run, row)} {number(float(values[chosen]), sign=signed)}")
    return words


def _blocks(
    every: Quantity, one: Quantity, run: Run, row: int | None, selection: Selection, *, headed: bool
) -> list[Block]:
    labels = labels_of(one, run)
    # With several quantities, each has a heading that says it.
    name, unit = ("", "") if headed else (_called(every, run, row, selection), one.unit)
    values = one.values
    if len(one.dims) == 2:
        return _map(every, one, run, row, selection)
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


def _map(every: Quantity, one: Quantity, run: Run, row: int | None, selection: Selection) -> list[Block]:
    down, across = one.dims
    rows, cols = _ticks(one, down, run, row), _ticks(one, across, run, row)
    values = one.values[: len(rows), : len(cols)]
    labels = labels_of(one, run)
    ringed = tuple(_along(axis, run, row, selection) for axis in one.dims)
    if one.dims == HEADS:
        head = selection.head
        ringed = head if head and head[0] < len(rows) and head[1] < len(cols) else (None, None)
    drawn = Map(
        values,
        rows,
        cols,
        _scale(every, one),
        one.limit,
        one.name,
        one.unit,
        texts=None if labels is None else labels.tolist(),
        ringed=None if ringed == (None, None) else (ringed[0], ringed[1]),
        upward=down in ("layer", "depth"),
        tokens=across in TOKEN_AXES,
    )
    return [drawn, *_lists(every, one, run, row, selection)] if one.dims == HEADS else [drawn]


def _lists(every: Quantity, one: Quantity, run: Run, row: int | None, selection: Selection) -> list[Block]:
    """Return the strongest heads in each direction, as tables."""
    signed = one.scale == "signed"
    order = [int(at) for at in np.argsort(-np.nan_to_num(one.values.reshape(-1)), kind="stable")]
    above = [at for at in order if one.values.flat[at] > 0]
    below = [at for at in reversed(order) if one.values.flat[at] < 0]
    high, low = ("highest", "lowest")
    if is_of_target(every, selection) and isinstance(run, Trace):
        high, low = ends_words(run, row)
    elif one.name.startswith(CHANGE):
        high, low = "up most", "down most"
    n_heads = one.values.shape[1]
    ends = [(high, above[:LISTED]), (low, below[:LISTED])] if signed else [(high, above[: 2 * LISTED])]
    return [
        Table(
            words,
            [(f"L{at // n_heads}H{at % n_heads}", number(float(one.values.flat[at]), sign=signed)) for at in listed]
            or [("none", "")],
        )
        for words, listed in ends
    ]


def _called(every: Quantity, run: Run, row: int | None, selection: Selection) -> str:
    """Name a quantity as a title does."""
    when = "" if every.reference is None or selection.show == "now" else selection.show
    if when == "change":
        return f"{CHANGE}{every.name}"
    on = f" on {every.measured_on}" if every.measured_on else ""
    if is_of_target(every, selection) and isinstance(run, Trace):
        on = f" on {target_name(run, row)}"
    return f"{every.name}{on}{when and f' {when}'}"


def _of_rows(every: Quantity, row: int | None, run: Run) -> str:
    """Say how many prompts a mean is over, or which prompt is shown if there is no mean."""
    if every.has_tokens:
        return f"prompt {row} of {len(run.lengths)}" if row is not None and len(run.lengths) > 1 else ""
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


def _name(one: Quantity, cell: Cell, run: Run, row: int | None) -> str:
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


def _chosen(one: Quantity, run: Run, row: int | None, selection: Selection) -> Cell | None:
    """Return the cell that the selection means, or None."""
    if one.dims == HEADS:
        at: tuple[int | None, ...] = selection.head or (None, None)
    else:
        at = tuple(_along(axis, run, row, selection) for axis in one.dims)
    if not at or any(index is None or index >= size for index, size in zip(at, one.values.shape, strict=True)):
        return None
    return tuple(index for index in at if index is not None)


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
