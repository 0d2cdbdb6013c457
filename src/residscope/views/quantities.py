"""What a view does with its quantities: which it shows, what it sends to the browser, the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from residscope.errors import InputError
from residscope.given import Given, Run
from residscope.header import text_of
from residscope.live.shared import Selection
from residscope.live.wire import Array, text
from residscope.quantity import Quantity
from residscope.runs.changes import FINAL_NORM
from residscope.runs.trace import Trace
from residscope.views.checks import check_info

if TYPE_CHECKING:
    import pandas as pd


def collected(quantities: Iterable[Quantity], run: Trace | None, view: str, most_axes: int) -> list[Quantity]:
    """Return the quantities of a view, with texts safe to send and without cells beyond a prompt's tokens.

    Args:
        quantities: what the view yields or was given.
        run: their run, or None.
        view: the view's name.
        most_axes: how many axes besides the row it draws.

    Raises:
        TypeError: for anything but a `Quantity`.
        InputError: for more axes than a block can draw, or rows that do not fit the run.
    """
    found = []
    for one in quantities:
        if not isinstance(one, Quantity):
            raise TypeError(f"{view}.quantities yields rs.Quantity, not {type(one).__name__}")
        if len(one.cell_dims) > most_axes:
            axes = " ".join(one.cell_dims)
            raise InputError("dims", f"a view draws {most_axes} axes besides the row, and {one.name} has [{axes}]")
        if run and "row" in one.dims and one.n_rows not in (1, len(run.lengths)):
            raise InputError("values", f"{one.name} has {one.n_rows} rows, and the run has {len(run.lengths)}")
        own = run and one.has_tokens and one.lengths is None and one.n_rows == len(run.lengths)
        found.append(
            one.described(
                name=text(one.name),
                unit=text(one.unit),
                coords={axis: tuple(map(text, names)) for axis, names in one.coords.items()},
                measured_on=text(one.measured_on),
                blank=text(one.blank),
                lengths=run.lengths if own and run else one.lengths,
            )
        )
    if not found:
        raise InputError("quantities", f"{view}.quantities yielded nothing to show")
    return found


def compared(now: Sequence[Quantity], before: Sequence[Quantity]) -> list[Quantity]:
    """Return a run's quantities, each with its reference: the untouched run's quantity of the same name and axes."""
    known = {(one.name, one.dims): one for one in before}
    return [_beside(one, known.get((one.name, one.dims))) for one in now]


def _beside(now: Quantity, before: Quantity | None) -> Quantity:
    if before is None or now.reference is not None:
        return now
    values = before.values
    if "component" in now.dims:
        # What edits add has its own components, which the untouched run does not have.
        at, names = now.dims.index("component"), before.names("component")
        nothing = np.zeros_like(values.take(0, at))
        columns = [values.take(names.index(one), at) if one in names else nothing for one in now.names("component")]
        values = np.stack(columns, at)
    return replace(now, reference=values) if values.shape == now.values.shape else now


def payload(quantities: Sequence[Quantity], run: Run) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays of each quantity, by index (`0.values`, `0.reference`, ...), and its description."""
    arrays: dict[str, Array] = {}
    described = []
    for at, one in enumerate(quantities):
        arrays[f"{at}.values"] = one.values
        if one.reference is not None:
            arrays[f"{at}.reference"] = one.reference
        if one.moved is not None:
            arrays[f"{at}.moved"] = one.moved
        texts = None
        if one.labels is not None:
            arrays[f"{at}.labels"], texts = _coded(one.labels, run)
        described.append(
            {
                "name": one.name,
                "unit": one.unit,
                "dims": list(one.dims),
                "coords": {axis: list(names) for axis, names in one.coords.items()},
                "scale": one.scale,
                "high": one.high,
                "checks": [check_info(check) for check in one.checks],
                "lengths": None if one.lengths is None else list(one.lengths),
                "measured_on": one.measured_on,
                "blank": one.blank,
                "texts": texts,
            }
        )
    return arrays, {"quantities": described}


def table(quantities: Sequence[Quantity]) -> "pd.DataFrame":
    """Return the quantities as one table, one row per cell; with several, a column names the quantity."""
    import pandas as pd

    if len(quantities) == 1:
        return quantities[0].frame()
    frames = []
    for one in quantities:
        frame = one.frame()
        frame.insert(0, "quantity", one.name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def shown(one: Quantity, selection: Selection, rows: int) -> tuple[Quantity, int | None]:
    """Return the part of a quantity on screen and its row; None for the mean, or where all rows share it."""
    row = selection.row if selection.row is not None and selection.row < rows else None
    if one.has_tokens or rows == 1:
        row = row or 0
    own = None if "row" not in one.dims else 0 if one.n_rows == 1 else row
    kept = one.over_rows(own)
    if one.moved is not None and "component" in kept.dims and selection.show != "change":
        kept = _without_scale(kept)
    if one.reference is not None and selection.show != "now":
        kept = kept.change() if selection.show == "change" else kept.before()
    return kept, row if "row" in one.dims and one.n_rows == rows else None


def _without_scale(one: Quantity) -> Quantity:
    """Leave out the changed scale of the norm, which is not a part."""
    names = one.names("component")
    if names[-1] != FINAL_NORM:
        return one
    cut: dict[str, Any] = {
        "values": one.values[..., :-1],
        "coords": {**one.coords, "component": names[:-1]},
        "moved": None,
    }
    return replace(one, **cut, reference=None if one.reference is None else one.reference[..., :-1])


def labels_of(one: Quantity, run: Run) -> Array | None:
    """Return the texts that go with the numbers; for an id, its token's text."""
    if one.labels is None:
        return None
    codes, texts = _coded(one.labels, run)
    return np.array([texts.get(str(code), "") for code in codes.reshape(-1)], dtype=object).reshape(codes.shape)


def _coded(labels: Array, run: Run) -> tuple[Array, Mapping[str, str]]:
    """Return labels as numbers, and what each means; -1 means nothing."""
    if np.issubdtype(labels.dtype, np.integer):
        if isinstance(run, Given):
            return labels.astype(np.int32), {str(one): str(one) for one in np.unique(labels).tolist() if one >= 0}
        return labels.astype(np.int32), {str(one): text_of(run, one) for one in np.unique(labels).tolist() if one >= 0}
    known, codes = np.unique(labels.astype(str), return_inverse=True)
    return codes.reshape(labels.shape).astype(np.int32), {str(at): text(one) for at, one in enumerate(known.tolist())}
