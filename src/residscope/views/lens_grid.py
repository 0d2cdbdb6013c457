"""The lens cells of one run read so far, in any order."""

import numpy as np

from residscope.analysis.lens import CHUNK_BYTES
from residscope.given import Run
from residscope.live import wire
from residscope.runs.lens import LensCells


class LensGrid:
    """The cells of each row, -1 and NaN where they are missing.

    Attributes:
        number: the run's number.
        unit: how many positions are read at once, at all depths.
    """

    def __init__(self, trace: Run, k: int) -> None:
        self.number = trace.number
        depths = len(trace.depths)
        self.unit = max(1, CHUNK_BYTES // (4 * trace.vocabulary_size * depths))
        self._ids = [np.full((depths, length, k), -1, np.int32) for length in trace.lengths]
        self._probs = [np.full((depths, length, k), np.nan, np.float32) for length in trace.lengths]
        self._entropy = [np.full((depths, length), np.nan, np.float32) for length in trace.lengths]
        self._here = [np.zeros(length, bool) for length in trace.lengths]

    def put(self, row: int, start: int, cells: LensCells) -> None:
        """Store cells of a row, from a position on."""
        stop = start + cells.top_ids.shape[1]
        self._ids[row][:, start:stop] = cells.top_ids.cpu().numpy()
        self._probs[row][:, start:stop] = cells.top_probs.float().cpu().numpy()
        self._entropy[row][:, start:stop] = cells.entropy.float().cpu().numpy()
        self._here[row][start:stop] = True

    def gap(self, row: int, start: int, stop: int) -> tuple[int, int] | None:
        """Return the last missing positions within these, as many as are read at once, or None."""
        missing = np.flatnonzero(~self._here[row][start:stop])
        if not len(missing):
            return None
        last = first = int(missing[-1]) + start
        while first > max(start, last - self.unit + 1) and not self._here[row][first - 1]:
            first -= 1
        return first, last + 1

    def count(self) -> int:
        """Return how many positions are here."""
        return int(sum(here.sum() for here in self._here))

    def hull(self, row: int) -> tuple[int, int]:
        """Return the range from the first position that is here to the last."""
        here = np.flatnonzero(self._here[row])
        return (int(here[0]), int(here[-1]) + 1) if len(here) else (0, 0)

    def cells(self, row: int, start: int, stop: int) -> tuple[wire.Array, wire.Array]:
        """Return the most likely tokens and their probabilities [depth pos k]."""
        return self._ids[row][:, start:stop], self._probs[row][:, start:stop]

    def packed(self, row: int, start: int, stop: int) -> dict[str, wire.Array]:
        """Return the cells as they are sent."""
        ids, probs = self.cells(row, start, stop)
        entropy = self._entropy[row][:, start:stop]
        return {"top_ids": ids, "top_probs": probs.astype(np.float16), "entropy": entropy.astype(np.float16)}

    def tokens(self, row: int, start: int, stop: int) -> set[int]:
        """Return the ids of all tokens in these cells."""
        return set(np.unique(self._ids[row][:, start:stop]).tolist()) - {-1}
