"""What a view makes of its quantities: which are shown, what travels to the browser, the table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from residscope.errors import InputError
from residscope.given import Given, Run
from residscope.header import text_of
from residscope.live.shared import Selection
from residscope.live.wire import Array, text
from residscope.quantity import Quantity
from residscope.runs.trace import Trace
from residscope.views.checks import check_info

if TYPE_CHECKING:
    import pandas as pd


def collected(quantities: Iterable[Quantity], run: Trace | None, view: str, most_axes: int) -> list[Quantity]:
    """Return the quantities of a view, their texts safe to send and what stands beyond a prompt's tokens left out.

    Args:
        quantities: what the view yields, or somebody gives it.
        run: the run that they are of, or None.
        view: the view's name.
        most_axes: how many axes beside the row it draws.

    Raises:
        TypeError: for what is no `Quantity`.
        InputError: for more axes than can be drawn, or other rows than the run has.
    """
    found = []
    for one in quantities:
        if not isinstance(one, Quantity):
            raise TypeError(f"{view}.quantities yields rs.Quantity, not {type(one).__name__}")
        if len(one.cell_dims) > most_axes:
            axes = " ".join(one.cell_dims)
            raise InputError("dims", f"a view draws {most_axes} axes beside the row, and {one.name} has [{axes}]")
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
        raise InputError("quantities", f"{view}.quantities yields nothing to show")
    return found


def payload(quantities: Sequence[Quantity], run: Run) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays `0.values`, `0.reference` and `0.labels` of each quantity, by its number, and what it is."""
    arrays: dict[str, Array] = {}
    described = []
    for at, one in enumerate(quantities):
        arrays[f"{at}.values"] = one.values
        if one.reference is not None:
            arrays[f"{at}.reference"] = one.reference
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
    """Return the quantities as one table, a row a cell; of several, a column says which is which."""
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
    """Return what is on screen of a quantity, and the row it is of; None for the mean, or where all rows share it."""
    row = selection.row if selection.row is not None and selection.row < rows else None
    if one.has_tokens or rows == 1:
        row = row or 0
    own = None if "row" not in one.dims else 0 if one.n_rows == 1 else row
    kept = one.over_rows(own)
    if one.reference is not None and selection.show != "now":
        kept = kept.change() if selection.show == "change" else kept.before()
    return kept, row if "row" in one.dims and one.n_rows == rows else None


def labels_of(one: Quantity, run: Run) -> Array | None:
    """Return the texts that stand with the numbers; an id's is its token's."""
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
