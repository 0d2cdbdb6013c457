"""The places where a run is read: terms, each a row and a position."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Terms:
    """The places that a run is read at, one row and one position each."""

    rows: Int[Tensor, "term"]
    positions: Int[Tensor, "term"]

    @classmethod
    def of(cls, rows: Sequence[int], positions: Sequence[int], device: torch.device) -> "Terms":
        """Return terms on a device."""
        return cls(torch.tensor(rows, device=device), torch.tensor(positions, device=device))

    @classmethod
    def one_a_row(cls, positions: Int[Tensor, "row"]) -> "Terms":
        """Return one term for each row, in order."""
        return cls(torch.arange(len(positions), device=positions.device), positions)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, value: Tensor) -> Tensor:
        """Return [term ...] of an activation [row pos ...]."""
        positions = self.positions.to(value.device)
        # Position embeddings may come with a batch axis of one.
        return value[0, positions] if len(value) == 1 else value[self.rows.to(value.device), positions]
