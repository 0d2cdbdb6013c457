"""Quantities that the user already has, instead of a run: numbers without a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from residscope.errors import InputError, NoModelError, brief, count
from residscope.live.wire import text
from residscope.quantity import TOKEN_AXES, Numbers, Quantity
from residscope.runs.trace import Trace, sent_with_run


@dataclass(frozen=True)
class Given:
    """What a view shows instead of a run. A name that `Trace` has too means the same there.

    Attributes:
        quantities: the numbers; the first one names what is shown.
        tokens: the texts of each row's tokens; empty where the numbers have none.
        title: what the view is called.
    """

    quantities: tuple[Quantity, ...]
    tokens: tuple[tuple[str, ...], ...]
    title: str = ""

    number = 1

    def find(self, *axes: str) -> Quantity | None:
        """Return the first quantity with these axes within a row, or None."""
        return next((one for one in self.quantities if one.cell_dims == axes), None)

    def numbers(self, what: str, *axes: str) -> Numbers:
        """Return the numbers with these axes within a row [row ...]; without an axis for rows, the same in every row.

        Args:
            what: their name in an error.
            axes: the axes within a row.

        Raises:
            NoModelError: when there are none.
            InputError: when they go along tokens whose texts are missing.
        """
        found = self._found(what, axes)
        return self._in_rows(found, found.values)

    def labels_of(self, what: str, *axes: str) -> NDArray[Any]:
        """Return the labels of these numbers [row ...]: texts or ids.

        Raises:
            NoModelError: when there are no such numbers.
            InputError: when they have no labels, or go along tokens whose texts are missing.
        """
        found = self._found(what, axes)
        if found.labels is None:
            raise InputError("labels", f"{brief(found.name)} has no labels: give a text or an id for each number")
        return self._in_rows(found, found.labels)

    @property
    def name(self) -> str:
        """Return the name of what is shown."""
        return self.quantities[0].name if self.quantities else ""

    @property
    def unit(self) -> str:
        """Return its unit."""
        return self.quantities[0].unit if self.quantities else ""

    @property
    def n_rows(self) -> int:
        """Return how many prompts there are."""
        return max(1, len(self.tokens), *(one.n_rows for one in self.quantities))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Return how many tokens each row has; without tokens, how many positions its numbers have."""
        longest = max((one.size(axis) for one in self.quantities for axis in TOKEN_AXES), default=0)
        return tuple(map(len, self.tokens)) or (longest,) * self.n_rows

    @property
    def n_layers(self) -> int:
        """Return how many layers the numbers cover."""
        return max((one.size("layer") for one in self.quantities), default=0) or 1

    @property
    def n_heads(self) -> int:
        """Return how many heads a layer has."""
        return max((one.size("head") for one in self.quantities), default=0) or 1

    @property
    def labels(self) -> list[str]:
        """Return the names of the components."""
        return [name for one in self.quantities for name in one.coords.get("component", ())]

    @property
    def depths(self) -> list[str]:
        """Return the names of the depths."""
        return next((list(one.names("depth")) for one in self.quantities if "depth" in one.dims), [])

    @property
    def str_tokens(self) -> list[list[str]]:
        """Return each row's tokens as text."""
        return [list(row) for row in self.tokens]

    @cached_property
    def is_causal(self) -> bool:
        """Tell whether tokens attend only to themselves and earlier ones."""
        maps = [np.triu(one.values, 1) for one in self.quantities if one.dims[-2:] == ("query", "key")]
        return not any(later.any() and np.nan_to_num(later).any() for later in maps)

    @property
    def patterns_sent_with_run(self) -> bool:
        """Tell whether all maps are small enough to be sent at once."""
        # A square is nearly two triangles.
        return sent_with_run(self.n_layers * self.n_heads * (1 if self.is_causal else 2), self.lengths)

    @cached_property
    def token_ids(self) -> tuple[tuple[int, ...], ...]:
        """Return each row's tokens as ids in a vocabulary made of the texts of these numbers."""
        return tuple(tuple(map(self.id_of, row)) for row in self.tokens or [()] * self.n_rows)

    @property
    def vocabulary_size(self) -> int:
        """Return the size of that vocabulary."""
        return len(self._texts)

    def id_of(self, token: str) -> int:
        """Return the id of the text of a token or a label."""
        return self._ids[token]

    def ids_of(self, labels: NDArray[Any]) -> NDArray[np.int32]:
        """Return the ids of labels, -1 where a cell has none."""
        ids = [-1 if label == -1 else self.id_of(str(label)) for label in labels.reshape(-1).tolist()]
        return np.array(ids, np.int32).reshape(labels.shape)

    def decode(self, token: int) -> str:
        """Return the text of an id, safe to show."""
        return self._texts[token]

    def _found(self, what: str, axes: tuple[str, ...]) -> Quantity:
        found = self.find(*axes)
        if found is None:
            raise NoModelError(f"{what} [{' '.join(axes)}]")
        if found.has_tokens and not self.tokens:
            raise InputError("tokens", f"{brief(found.name)} goes along tokens: give their texts too")
        return found

    def _in_rows(self, one: Quantity, values: NDArray[Any]) -> NDArray[Any]:
        rows = values if "row" in one.dims else values[None]
        return np.broadcast_to(rows, (self.n_rows, *rows.shape[1:]))

    @cached_property
    def _texts(self) -> list[str]:
        return list(dict.fromkeys(map(text, self._named)))

    @cached_property
    def _ids(self) -> dict[str, int]:
        ids = {one: at for at, one in enumerate(self._texts)}
        return {one: ids[text(one)] for one in self._named}

    @cached_property
    def _named(self) -> list[str]:
        """Return the texts of the tokens, then the numbers' labels, each once."""
        named = [token for row in self.tokens for token in row]
        for one in self.quantities:
            labels = () if one.labels is None else one.labels.reshape(-1).tolist()
            named += [*one.coords.get("vocab", ()), *(str(label) for label in labels if label != -1)]
        return list(dict.fromkeys(named))


Run = Trace | Given
"""What a view shows."""


def given(quantities: Sequence[Quantity], tokens: Sequence[Sequence[str]] = (), title: str = "") -> Given:
    """Return quantities with their tokens, which may also come alone.

    Raises:
        InputError: when the rows or the tokens do not fit the numbers.
    """
    rows = {one.n_rows for one in quantities} | ({len(tokens)} if tokens else set())
    if len(rows - {1}) > 1:
        counts = " and ".join(map(str, sorted(rows)))
        raise InputError("quantities", f"the quantities and tokens have {counts} rows: give all the same number")
    fitted = []
    for one in quantities:
        sizes = [one.size(axis) for axis in TOKEN_AXES if axis in one.dims]
        if tokens and sizes and max(map(len, tokens)) != max(sizes):
            have = count(max(map(len, tokens)), "token")
            raise InputError(
                "tokens", f"{one.name} has numbers for {count(max(sizes), 'token')}, and tokens has {have}"
            )
        own = one.lengths is None and bool(tokens) and bool(sizes) and one.n_rows == len(tokens)
        fitted.append(one.described(lengths=tuple(map(len, tokens))) if own else one)
    return Given(tuple(fitted), tuple(tuple(map(text, row)) for row in tokens), text(title))
