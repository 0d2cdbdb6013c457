"""Numbers with named axes: the type that every view shows."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from residscope.errors import InputError, brief, whole_number

if TYPE_CHECKING:
    import pandas as pd
    import xarray

AXES = ("row", "layer", "head", "depth", "pos", "query", "key", "vocab", "component", "explanation", "k", "site")
"""The names of axes, in the order in which a quantity has them."""

TOKEN_AXES = frozenset({"pos", "query", "key"})
"""Axes along a prompt's tokens, which differ from prompt to prompt."""

Numbers = NDArray[np.float32]

_TOO_LARGE = "hold infinity, or numbers beyond float32: give NaN where there is no number"


@dataclass(frozen=True)
class SumCheck:
    """Whether parts add up to the whole.

    Attributes:
        sum: the sum of all parts.
        target: the number read off the model.
        ok: whether rounding explains the difference.
        reason: what is wrong, or nothing.
        tolerance: the largest difference that rounding explains.
    """

    sum: float
    target: float
    ok: bool
    reason: str = ""
    tolerance: float = 0.0

    @property
    def difference(self) -> float:
        """Return sum - target."""
        return self.sum - self.target


@dataclass(frozen=True, eq=False, init=False)
class Quantity:
    """Numbers with named axes; immutable.

    The axes decide how a view draws and links them: (layer, head) is a map in which a click selects a head, (depth,
    pos) is a map in which it selects a cell of the lens, (query, key) one in which it selects two tokens, and
    (component,) is bars in which a click pins.

    Args:
        name: what the numbers are, such as "direct effect".
        values: one number per cell, NaN where there is no cell; an array, a tensor or nested lists, kept as float32.
        dims: the axes of `values`, named and ordered as in `AXES`, such as "row layer head".
        unit: the unit, such as "logits"; empty if there is none.
        coords: the labels along an axis, by its name; the component axis needs them.
        reference: the untouched run's values, in the shape of `values`, or None.
        moved: the change from the reference, if it is not the values minus the reference, in the same shape.
        scale: "signed" is symmetric about 0, "sequential" begins at 0.
        high: the number at the upper end of the scale; None is the largest value.
        checks: one per row, shown in the title; signed numbers with checks are described as parts of the target.
        labels: a text or a token id for each value, or None; an id of -1 means no cell.
        lengths: how many tokens each row has; a view shows nothing beyond them.
        measured_on: what the numbers were measured on, such as "random repeats"; the name then says so.
        blank: one sentence that a view shows if there are no numbers.

    Raises:
        InputError: for axes that are unknown, repeated or out of order, and for shapes that do not fit them.
        TypeError: for values that are not numbers.
    """

    name: str
    values: Numbers
    dims: tuple[str, ...]
    unit: str
    coords: Mapping[str, tuple[str, ...]]
    reference: Numbers | None
    moved: Numbers | None
    scale: Literal["signed", "sequential"]
    high: float | None
    checks: tuple[SumCheck, ...]
    labels: NDArray[Any] | None
    lengths: tuple[int, ...] | None
    measured_on: str
    blank: str

    def __init__(
        self,
        name: str,
        values: Any,
        dims: str | Sequence[str],
        unit: str = "",
        coords: Mapping[str, Sequence[str]] | None = None,
        *,
        reference: Any = None,
        moved: Any = None,
        scale: Literal["signed", "sequential"] = "signed",
        high: float | None = None,
        checks: Sequence[SumCheck] = (),
        labels: Any = None,
        lengths: Sequence[int] | None = None,
        measured_on: str = "",
        blank: str = "",
    ) -> None:
        given = {
            "name": name,
            "values": _frozen(numbers_of(values, "values")),
            "dims": _checked_dims(dims),
            "unit": unit,
            "coords": {axis: tuple(map(str, names)) for axis, names in (coords or {}).items()},
            "reference": None if reference is None else _frozen(numbers_of(reference, "reference")),
            "moved": None if moved is None else _frozen(numbers_of(moved, "moved")),
            "scale": scale,
            "high": high,
            "checks": tuple(checks),
            "labels": None if labels is None else np.array(_in_memory(labels)),
            "lengths": None if lengths is None else tuple(lengths),
            "measured_on": measured_on,
            "blank": blank,
        }
        for field, value in given.items():
            self._set(field, value)
        self._check()

    @property
    def n_rows(self) -> int:
        """Return the number of rows; 1 without a row axis."""
        return self.size("row") or 1

    @property
    def cell_dims(self) -> tuple[str, ...]:
        """Return the axes within a row."""
        return tuple(axis for axis in self.dims if axis != "row")

    @property
    def has_tokens(self) -> bool:
        """Tell whether an axis runs along a prompt's tokens."""
        return bool(TOKEN_AXES & {*self.dims})

    def size(self, axis: str) -> int:
        """Return the length of an axis; 0 if there is none of that name."""
        return int(self.values.shape[self.dims.index(axis)]) if axis in self.dims else 0

    def names(self, axis: str) -> tuple[str, ...]:
        """Return the labels along an axis, or its indices if it has none."""
        return tuple(self.coords.get(axis) or map(str, range(self.size(axis))))

    @property
    def limit(self) -> float:
        """Return the number at the upper end of the scale, which the values and the reference share."""
        if self.high is not None:
            return self.high
        both = [self.values] if self.reference is None else [self.values, self.reference]
        return max(float(np.nanmax(np.abs(one), initial=0)) for one in both)

    def over_rows(self, row: int | None) -> "Quantity":
        """Return one row, or the mean over the rows that have a number, cell by cell.

        Args:
            row: the row; None is the mean, or the only row.

        Raises:
            InputError: for a row that does not exist, and for a mean along tokens, which differ between prompts.
        """
        if "row" not in self.dims:
            return self
        if row is None and self.n_rows == 1:
            row = 0
        if row is None:
            if self.has_tokens:
                raise InputError("row", f"prompts do not share their tokens, so {self.name} has no mean: choose a row")
            means: dict[str, Any] = {name: mean_over(one) for name, one in self._beside().items() if one is not None}
            return replace(self, values=mean_over(self.values), dims=self.cell_dims, labels=None, checks=(), **means)
        at = whole_number(row)
        if at is None or not 0 <= at < self.n_rows:
            raise InputError("row", f"row {brief(row)} is not among the {self.n_rows} rows of {self.name}")
        own: dict[str, Any] = {"values": self.values[at], "checks": tuple(self.checks[at : at + 1])}
        own |= {name: one[at] for name, one in self._beside().items() if one is not None}
        own |= {} if self.labels is None else {"labels": self.labels[at]}
        own |= {} if self.lengths is None else {"lengths": self.lengths[at : at + 1]}
        return replace(self, dims=self.cell_dims, **own)

    def described(self, **words: Any) -> "Quantity":
        """Return the same numbers, not copied, under another name, unit, coords, lengths and so on.

        Raises:
            InputError: for coords and lengths that do not fit.
        """
        other = copy(self)
        for field, value in words.items():
            other._set(field, value)
        other._check()
        return other

    def change(self) -> "Quantity":
        """Return the change from the reference, on a scale symmetric about 0: values minus reference, or `moved`.

        Raises:
            InputError: when there is no reference.
        """
        if self.reference is None:
            raise InputError("reference", f"{self.name} has no reference, so there is no change to show")
        return replace(
            self,
            name=f"change of {self.name}",
            values=self.values - self.reference if self.moved is None else self.moved,
            reference=None,
            moved=None,
            scale="signed",
            high=None,
            checks=(),
        )

    def before(self) -> "Quantity":
        """Return the reference in place of the values.

        Raises:
            InputError: when there is none.
        """
        if self.reference is None:
            raise InputError("reference", f"{self.name} has no reference, so there is nothing to show from before")
        return replace(self, values=self.reference, reference=None, moved=None, high=self.limit or None, checks=())

    def frame(self, column: str = "value") -> "pd.DataFrame":
        """Return a table with one row per cell: columns for each axis, the value, before, the change and the unit.

        Args:
            column: the name of the values' column.
        """
        import pandas as pd

        columns: dict[str, Any] = {}
        indices = np.indices(self.values.shape).reshape(len(self.dims), self.values.size)
        for axis, at in zip(self.dims, indices, strict=True):
            named = self.coords.get(axis)
            columns[axis] = at if named is None else np.array(named, dtype=object)[at]
        if "layer" in columns and "head" in columns:
            pairs = zip(columns["layer"], columns["head"], strict=True)
            columns["head"] = [f"L{layer}H{head}" for layer, head in pairs]
        if self.labels is not None:
            columns["label"] = self.labels.reshape(-1)
        columns[column] = self.values.reshape(-1)
        if self.reference is not None:
            columns["before"] = self.reference.reshape(-1)
            columns["change"] = self.change().values.reshape(-1)
        frame = pd.DataFrame(columns | {"unit": self.unit})
        return frame[self._real().reshape(-1)].reset_index(drop=True)

    def to_xarray(self) -> "xarray.Dataset":
        """Return an `xarray.Dataset` with `value`, and `reference` where there is one.

        Raises:
            ImportError: when xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise ImportError("to_xarray needs xarray, which is not installed: pip install xarray") from None
        arrays = {"value": (self.dims, self.values)}
        if self.reference is not None:
            arrays["reference"] = (self.dims, self.reference)
        coords = {axis: list(names) for axis, names in self.coords.items()}
        return xarray.Dataset(arrays, coords, attrs={"name": self.name, "unit": self.unit})

    def _beside(self) -> dict[str, Numbers | None]:
        """Return the other arrays of the values' shape."""
        return {"reference": self.reference, "moved": self.moved}

    @property
    def _axes(self) -> str:
        return " ".join(self.dims)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check(self) -> None:
        shape = self.values.shape
        if len(shape) != len(self.dims):
            raise InputError("dims", f"values of the shape {[*shape]} need {len(shape)} axes, not [{self._axes}]")
        if self.scale not in ("signed", "sequential"):
            raise InputError("scale", f'scale is "signed" or "sequential", not {brief(self.scale)}')
        if self.high is not None and not 0 < self.high < float("inf"):
            raise InputError("high", f"high is a number above 0, not {brief(self.high)}")
        self._check_coords()
        if self.moved is not None and self.reference is None:
            raise InputError("moved", "moved is the change from a reference: give the reference too")
        for what, given in {**self._beside(), "labels": self.labels}.items():
            if given is not None:
                self._check_shape(what, given)
        if self.checks and len(self.checks) != self.n_rows:
            raise InputError("checks", f"{len(self.checks)} checks for {self.n_rows} rows: give one for each")
        if self.lengths is not None:
            self._cut(self.lengths)

    def _check_shape(self, what: str, given: NDArray[Any]) -> None:
        if given.shape != self.values.shape:
            raise InputError(what, f"{what} needs the values' shape {[*self.values.shape]}, not {[*given.shape]}")

    def _check_coords(self) -> None:
        for axis, names in self.coords.items():
            if axis not in self.dims:
                raise InputError("coords", f"coords name {brief(axis)}, which is not one of the axes [{self._axes}]")
            if len(names) != self.size(axis):
                raise InputError(
                    "coords", f"coords have {len(names)} labels for {self.size(axis)} along {axis}: give one for each"
                )
        if "component" in self.dims and "component" not in self.coords:
            raise InputError("coords", 'the component axis needs names: coords={"component": ["embed", "L0.attn"]}')

    def _cut(self, lengths: tuple[int, ...]) -> None:
        """Blank all numbers beyond a row's last token."""
        if len(lengths) != self.n_rows:
            raise InputError("lengths", f"{len(lengths)} lengths for {self.n_rows} rows: give one for each")
        longest = max(map(self.size, TOKEN_AXES))
        if not self.has_tokens or max(lengths) > longest:
            raise InputError("lengths", f"lengths go up to {max(lengths)} on an axis of {longest} tokens")
        if min(lengths) == longest:
            return
        real = self._real()
        self._set("values", _frozen(np.where(real, self.values, np.float32(np.nan))))
        for name, one in self._beside().items():
            if one is not None:
                self._set(name, _frozen(np.where(real, one, np.float32(np.nan))))

    def _real(self) -> NDArray[np.bool_]:
        """Return which cells are within their row's tokens."""
        real = np.ones(self.values.shape, bool)
        if self.lengths is None:
            return real
        ends = np.array(self.lengths).reshape((-1,) + (1,) * len(self.cell_dims))
        for at, axis in enumerate(self.dims):
            if axis in TOKEN_AXES:
                along = np.arange(self.values.shape[at]).reshape((-1,) + (1,) * (len(self.dims) - at - 1))
                real &= along < (ends if "row" in self.dims else ends[0])
        return real


def mean_over(values: NDArray[Any]) -> NDArray[Any]:
    """Return the mean over the rows [row ...] that have a number, NaN if none has."""
    counts = (~np.isnan(values)).sum(0)
    return np.where(counts > 0, np.nansum(values, 0) / np.maximum(counts, 1), np.nan).astype(values.dtype)


def numbers_of(value: Any, what: str) -> Numbers:
    """Return an array, a tensor or nested lists as float32, NaN where there is no number.

    Raises:
        TypeError: for anything but numbers, and for rows of different lengths.
        ValueError: for infinity, and numbers that overflow float32.
    """
    try:
        with np.errstate(over="ignore"):
            numbers = np.asarray(_in_memory(value), dtype=np.float32)
    except OverflowError:
        raise ValueError(f"{what} {_TOO_LARGE}") from None
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{what} are numbers, as an array, a tensor or nested lists of equal lengths: {error}"
        ) from None
    if np.isinf(numbers).any():
        raise ValueError(f"{what} {_TOO_LARGE}")
    return numbers


def _in_memory(value: Any) -> Any:
    """Return a tensor as an array, anything else unchanged; numpy has no bfloat16."""
    if not hasattr(value, "detach"):
        return value
    kept = value.detach().cpu()
    return (kept.float() if kept.is_floating_point() else kept).numpy()


def _frozen(numbers: Numbers) -> Numbers:
    """Return a read-only copy."""
    kept = numbers.copy()
    kept.setflags(write=False)
    return kept


def _checked_dims(dims: Any) -> tuple[str, ...]:
    """Return the names of the axes; a string is split at its spaces."""
    given = tuple(dims.split() if isinstance(dims, str) else dims)
    unknown = [axis for axis in given if axis not in AXES]
    if unknown:
        raise InputError("dims", f"there is no axis {brief(unknown[0])}: the axes are {', '.join(AXES)}")
    if len({*given}) < len(given):
        raise InputError("dims", f"[{' '.join(given)}] names an axis twice")
    ordered = tuple(sorted(given, key=AXES.index))
    if given != ordered:
        raise InputError("dims", f"axes come in the order [{' '.join(ordered)}], not [{' '.join(given)}]")
    return given
