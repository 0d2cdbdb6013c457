"""Quantities that the user already has, instead of a run: numbers without a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from residscope.errors import InputError, count
from residscope.quantity import TOKEN_AXES, Quantity


@dataclass(frozen=True)
class Given:
    """What a view shows instead of a run.

    Attributes:
        quantities: the numbers.
        tokens: the texts of each row's tokens; empty where the numbers have none.
        title: what the view is called.
    """

    quantities: tuple[Quantity, ...]
    tokens: tuple[tuple[str, ...], ...]
    title: str = ""

    number = 1

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


def given(quantities: Sequence[Quantity], tokens: Sequence[Sequence[str]] = (), title: str = "") -> Given:
    """Return quantities with their tokens.

    Raises:
        InputError: when the rows or the tokens do not fit the numbers.
    """
    if not quantities:
        raise InputError("quantities", "a view needs at least one quantity to show")
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
        fitted.append(replace(one, lengths=tuple(map(len, tokens))) if own else one)
    return Given(tuple(fitted), tuple(map(tuple, tokens)), title)
