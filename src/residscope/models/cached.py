"""A run that the user already has: whether it agrees with this model, and its activations."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.models.activations import Look, Watch, pad_right
from residscope.models.edits import NO_EDITS, PlacedEdits
from residscope.models.mixing import mixing_points
from residscope.models.placement import home_of
from residscope.models.recording import points_of

CELLS = 64
"""How many cells of each activation are compared."""


_IDS = "embed.hook_in"


class ForeignCacheError(ValueError):
    """The activations cannot come from this model on these tokens; one sentence says why."""


class NotCachedError(ValueError):
    """A cache does not hold an activation that is needed."""


@dataclass(frozen=True, eq=False)
class CachedRun:
    """Activations by hook point, and what one run of the model said about them.

    Attributes:
        values: by hook point, with a batch axis.
        axes: which axes of each are positions.
        starts: where each row's tokens begin in them.
        tokens: each row's tokens, without padding.
        reached: the hook points that a run of this model passes.
        difference: where they first differ from the model's own, in words; empty if they agree.
        missing: the first activation that a recording needs and the cache lacks; empty if it lacks none.
    """

    values: Mapping[str, Tensor]
    axes: Mapping[str, tuple[int, ...]]
    starts: tuple[int, ...]
    tokens: tuple[tuple[int, ...], ...]
    reached: frozenset[str]
    difference: str
    missing: str

    @property
    def edits(self) -> PlacedEdits:
        """Return none: a cached run cannot be edited."""
        return NO_EDITS

    def look(self, model: TransformerBridge, watches: Sequence[Watch], _layers: Sequence[int]) -> None:
        """Show each look what the cache holds of its hook point, padded on the right.

        Raises:
            NotCachedError: for a hook point that the model passes and the cache lacks.
        """
        device = home_of(model)
        for watch in watches:
            if watch.point in self.reached:
                watch.look(self._padded_right(watch.point, device))

    def _padded_right(self, point: str, device: torch.device) -> Shaped[Tensor, "row ..."]:
        if point not in self.values:
            raise NotCachedError(
                f"the cache has no {point!r}, and what it holds differs from what this model computes, so it cannot be "
                "recomputed: cache that too"
            )
        value, axes, width = self.values[point], self.axes[point], max(map(len, self.tokens))
        rows = []
        for row, (start, ids) in enumerate(zip(self.starts, self.tokens, strict=True)):
            own = value[min(row, len(value) - 1)]
            for axis in axes:
                own = own.narrow(axis - 1, start, len(ids))
            padded = own.new_zeros([width if axis in axes else size for axis, size in enumerate(own.shape, 1)])
            padded[tuple(slice(size) for size in own.shape)] = own
            rows.append(padded)
        return torch.stack(rows).to(device)


def compare(
    model: TransformerBridge,
    values: Mapping[str, Tensor],
    tokens: Sequence[Sequence[int]],
    starts: Sequence[int],
    width: int,
) -> CachedRun:
    """Run the model once and compare all that is given, at most `CELLS` cells of each activation.

    What is not indexed by position, as inside some mixtures of experts, cannot be compared and is left out.

    Args:
        model: on which nothing is changed.
        values: activations by hook point; the batch axis may be left out.
        tokens: each row's tokens, without padding.
        starts: where each row begins in the activations.
        width: how many positions the activations have, padding included.

    Raises:
        ForeignCacheError: for a hook point or a shape that this model does not have on these tokens, and other tokens.
    """
    unknown = next((name for name in values if name not in model.hook_dict), None)
    if unknown is not None:
        raise ForeignCacheError(f"the cache holds {unknown!r:.80}, which is not a hook point of this model")
    # With another number of positions than the cache has, the axes whose sizes differ are the positions.
    taken = {width, *(size for value in values.values() for size in value.shape)}
    longer, shorter = range(width + 1, model.cfg.n_ctx + 1), range(width - 1, 0, -1)
    ours = next(size for size in (*longer, *shorter) if size not in taken)
    device = home_of(model)
    padded, _ = pad_right([*(row[:ours] for row in tokens), [0] * ours], device)
    frame = _Frame([min(len(row), ours) for row in tokens], starts, width, ours)
    kept: dict[str, Tensor] = {}
    axes: dict[str, tuple[int, ...]] = {}
    differences: list[str] = []
    reached: set[str] = set()

    def look(name: str) -> Look:
        def hook(live: Tensor, **_: object) -> None:
            reached.add(name)
            pair = frame.aligned(name, values[name], live) if name in values else None
            if pair is not None:
                kept[name], live, axes[name] = pair
                found = _difference(name, kept[name], live, axes[name], frame)
                if found is None:
                    return
                if name == _IDS:
                    raise ForeignCacheError(f"the cache was made on other tokens: {found.said_of('you give')}")
                differences.append(found.said_of("the model gives"))

        return hook

    needed = points_of(model)
    points = dict.fromkeys([*values, *needed, *mixing_points(model)])
    hooks: list[tuple[str | Callable[..., object], Look]] = [(name, look(name)) for name in points]
    with torch.no_grad():
        model.run_with_hooks(padded[:-1], return_type=None, fwd_hooks=hooks)
    differences += [f"{name} is never reached in a run of this model" for name in values if name not in reached]
    missing = next((name for name in needed if name in reached and name not in values), "")
    rows = tuple(tuple(row) for row in tokens)
    difference = next(iter(differences), "")
    return CachedRun(kept, axes, tuple(starts), rows, frozenset(reached), difference, missing)


@dataclass(frozen=True)
class _Frame:
    """Where the tokens are: `width` positions in the cache, `ours` in the run that it is compared with.

    Attributes:
        real: how many tokens of each row are compared.
        starts: where each row begins in the cache.
    """

    real: Sequence[int]
    starts: Sequence[int]
    width: int
    ours: int

    def aligned(self, name: str, given: Tensor, live: Tensor) -> tuple[Tensor, Tensor, tuple[int, ...]] | None:
        """Bring both to [row ...], with the axes that are positions; None where they are not indexed by position."""
        rows = len(self.real)
        if len(live) == rows * self.ours != rows and len(given) == rows * self.width:
            given, live = given.reshape(rows, self.width, -1), live.reshape(rows, self.ours, -1)
        if given.ndim == live.ndim - 1:
            given = given[None]
        if len(live) not in (1, rows) or self.ours not in live.shape[1:]:
            return None
        if given.ndim != live.ndim or len(given) not in (1, rows) or not self._fits(given, live):
            raise ForeignCacheError(
                f"the cache's {name} has the shape {list(given.shape)}, and on these tokens this model gives "
                f"{[rows, *(self.width if size == self.ours else size for size in live.shape[1:])]}: give the tokens "
                "that the cache was made on, padding included"
            )
        axes = tuple(axis for axis in range(1, live.ndim) if given.shape[axis] != live.shape[axis])
        return given, live, axes

    def _fits(self, given: Tensor, live: Tensor) -> bool:
        pairs = zip(given.shape[1:], live.shape[1:], strict=True)
        return all(theirs == ours or (theirs, ours) == (self.width, self.ours) for theirs, ours in pairs)


@dataclass(frozen=True)
class _Difference:
    """The first cell of an activation at which cache and run differ.

    Attributes:
        name: of the hook point.
        kept: what the cache holds.
        computed: what the run gives.
        where: the row, and the position where the activation has positions.
    """

    name: str
    kept: float
    computed: float
    where: str

    def said_of(self, source: str) -> str:
        """Say it, with what the other number comes from ("the model gives")."""
        return f"{self.name} holds {self.kept:.4g} where {source} {self.computed:.4g} ({self.where})"


def _difference(name: str, given: Tensor, live: Tensor, axes: tuple[int, ...], frame: _Frame) -> _Difference | None:
    """Compare cells, half of them at the last real position of each row; return the first that differs.

    They are the same each time, and others of each activation: what is changed in many is met in some.
    """
    seeded = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    chance = torch.rand((live.ndim, CELLS), generator=seeded, dtype=torch.float64)
    last = torch.arange(CELLS) % 2 == 0
    real, starts = torch.tensor(frame.real), torch.tensor(frame.starts)
    row = (chance[0] * len(real)).long()
    ours, theirs = [row.clamp(max=len(live) - 1)], [row.clamp(max=len(given) - 1)]
    for axis in range(1, live.ndim):
        if axis in axes:
            # Most numbers are read off the last position.
            ours.append(torch.where(last, real[row] - 1, (chance[axis] * real[row]).long()))
        else:
            ours.append((chance[axis] * live.shape[axis]).long())
        theirs.append(ours[-1] + starts[row] if axis in axes else ours[-1])
    # In half precision masked scores may be infinite.
    kept, computed = given.cpu()[tuple(theirs)].double(), live.cpu()[tuple(ours)].to(given.dtype).double()
    apart = (kept != computed) & ~((kept - computed).abs() <= _tolerance(given, live))
    if not apart.any():
        return None
    cell = int(apart.nonzero()[0])
    where = f"row {int(row[cell])}" + (f", position {int(ours[axes[0]][cell])}" if axes else "")
    return _Difference(name, float(kept[cell]), float(computed[cell]), where)


def _tolerance(given: Tensor, live: Tensor) -> float:
    """Return what rounding explains: batches of other sizes are summed in another order."""
    kinds = [value.dtype for value in (given, live) if value.is_floating_point()]
    if not kinds:
        return 0.0
    eps = max(torch.finfo(kind).eps for kind in kinds)
    finite = live[live.isfinite()].abs()
    return (256 if eps < 1e-6 else 16) * eps * float(finite.max() if finite.numel() else 0.0)
