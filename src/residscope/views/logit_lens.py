"""What the model would say if it stopped at each depth, at each position."""

import re
import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from residscope.export.figure import Block, Curve, Figure, Map, Table
from residscope.export.words import probability
from residscope.given import Given, Run
from residscope.header import name_of, target_position, texts_of, tokens_of, unit_of
from residscope.live import wire
from residscope.live.shared import Selection
from residscope.live.worker import Priority, Ticket
from residscope.runs.lens import LensTarget
from residscope.views.answers import NoAnswerError, Sent
from residscope.views.base import View
from residscope.views.captions import facts
from residscope.views.checks import check_info
from residscope.views.lens_grid import LensGrid
from residscope.views.lens_numbers import given_lens, likeliest, listed, read_cells, read_target
from residscope.views.sentences import lens_sentence
from residscope.views.target_words import aims_of, target_words

if TYPE_CHECKING:
    import pandas as pd

WHOLE, LAST = 64, 32
"""Prompts up to WHOLE tokens are read at all positions; longer ones at the LAST, and where they come on screen."""

MOST_ASKED = 256
"""The most positions that one request may ask for."""

BLOCK = 32
"""How many positions the browser asks for, if they are read fast enough."""

SEND_EVERY = 0.3
"""Seconds between two parts that are sent."""

_KEY = re.compile(r"cells/(\d{1,6})/(\d{1,9})/(\d{1,9})")

PICTURED, LISTED = 10, 5
"""How many positions, and how many tokens of one cell, a still picture shows."""


class LogitLens(View):
    """A depths-by-positions grid of the most likely next tokens, with a depth slider, top k and the target's curve.

    On a long prompt the last positions are read at once and the others when they come on screen; the target's curve
    covers all positions.
    """

    _bundle_name = "logit_lens"

    _ask_priority = Priority.SCREEN
    _most_axes = 3
    _grid: LensGrid | None = None

    @classmethod
    def from_arrays(
        cls,
        tokens: Sequence[str],
        top_tokens: Sequence[Sequence[Any]],
        top_probs: Any,
        *,
        depths: Sequence[str] | None = None,
        target: Any = None,
        name: str = "",
        unit: str = "",
        selection: Selection | None = None,
    ) -> "LogitLens":
        """Show any guesses at each depth and position of one prompt, without a model or anything to check.

        Args:
            tokens: the prompt's tokens, as texts.
            top_tokens: `[depth pos k]` or `[depth pos]`, the guesses' texts, the most likely first.
            top_probs: their probabilities, in the same shape, NaN where there is none.
            depths: the name of each depth, the first at the bottom; None numbers them.
            target: `[depth]`, a number to draw over depths.
            name: what that number is.
            unit: its unit.
            selection: a selection to share, so that a click here also selects in other views.

        Raises:
            ValueError: for shapes that do not fit together.
        """
        quantities, rows = given_lens(tokens, top_tokens, top_probs, depths=depths, target=target, name=name, unit=unit)
        return cls.from_quantities(quantities, rows, selection=selection)

    def _payloads(self, trace: Run, ticket: Ticket) -> Iterator[Sent | None]:
        """Yield the lens's cells by row, the target at each depth, its curve at every position, and the check.

        The column where the target is read comes first, unless all cells are read at once.
        """
        target = read_target(trace)
        grid = self._grid = LensGrid(trace, listed(trace))
        wanted = _wanted(trace)
        whole = sum(stop - start for start, stop in wanted) <= grid.unit
        for row, (start, stop) in enumerate(wanted):
            position = target_position(trace, row)
            yield from self._read(trace, row, *((start, stop) if whole else (position, position + 1)), ticket)
        if not whole:
            yield self._so_far(trace, target, None)
            ticket.priority = Priority.REST
            yield None
        curve = None
        if not isinstance(trace, Given) and trace.target.unit == "logits":
            # A log-probability's curve would cost as much as all cells.
            curve = trace.target_curve(step=lambda _done, _of: ticket.check())
        chosen, sent_at = self.selection.row or 0, time.monotonic()
        for row in sorted(range(len(wanted)), key=lambda row: row != chosen):
            for _ in self._read(trace, row, *wanted[row], ticket):
                is_due = time.monotonic() - sent_at > SEND_EVERY
                yield self._so_far(trace, target, curve) if is_due else None
                sent_at = time.monotonic() if is_due else sent_at
        yield self._so_far(trace, target, curve)

    def _answer_to(self, trace: Run, key: str, ticket: Ticket) -> Generator[None, None, Sent]:
        """Return the cells at some positions of one row, at all depths.

        Raises:
            NoAnswerError: for positions that the run does not have, or too many at once.
        """
        match = _KEY.fullmatch(key)
        row, start, stop = map(int, match.groups()) if match else (0, 0, 0)
        if row >= len(trace.lengths) or not start < stop <= min(trace.lengths[row], start + MOST_ASKED):
            raise NoAnswerError(f"there is no {key!r:.80} in this run")
        yield from self._read(trace, row, start, stop, ticket)
        grid = self._grid_of(trace)
        return grid.packed(row, start, stop), {"texts": texts_of(trace, grid.tokens(row, start, stop))}

    def _is_complete(self) -> bool:
        """Tell whether all cells are here that are read without being requested."""
        runs, grid = self._source.now(), self._grid
        if not super()._is_complete() or runs is None or grid is None or grid.number != runs.number:
            return False
        return all(grid.gap(row, *span) is None for row, span in enumerate(_wanted(runs.trace)))

    def close(self) -> None:
        """Stop following the shared models, close the widget and release the run."""
        super().close()
        self._grid = None

    def _grid_of(self, trace: Run) -> LensGrid:
        grid = self._grid
        return grid if grid is not None and grid.number == trace.number else LensGrid(trace, listed(trace))

    def _read(self, trace: Run, row: int, start: int, stop: int, ticket: Ticket) -> Generator[None, None, None]:
        """Read the missing cells of some positions, a few at once."""
        grid = self._grid_of(trace)
        self._grid, total = grid, sum(stop - start for start, stop in _wanted(trace))
        while (gap := grid.gap(row, start, stop)) is not None:
            ticket.step("logit lens", min(grid.count(), total), total)
            cells = read_cells(trace, row, *gap, step=lambda _done, _of: ticket.check())
            grid.put(row, gap[0], cells)
            yield

    def _so_far(self, trace: Run, target: LensTarget, curve: Tensor | None) -> Sent:
        """Return what is here, ready to send."""
        grid = self._grid_of(trace)
        arrays = {
            "target_value": target.value.float().cpu().numpy(),
            "target_rank": target.rank.cpu().numpy().astype(np.int32),
        }
        if curve is not None:
            arrays["curve"] = curve.cpu().numpy().astype(np.float32)
        spans, shown = [grid.hull(row) for row in range(len(trace.lengths))], set[int]()
        for row, span in enumerate(spans):
            arrays |= {f"{name}.{row}": array for name, array in grid.packed(row, *span).items()}
            shown |= grid.tokens(row, *span)
        info = {
            "starts": [start for start, _ in spans],
            "block": min(BLOCK, max(4, grid.unit)),
            "texts": texts_of(trace, shown),
            "check": [check_info(check) for check in target.checks],
            "unit": unit_of(trace),
        }
        return arrays, info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt, depth, position and rank within the top k, for all positions."""
        import pandas as pd

        trace = self.trace
        lens = likeliest(trace)
        ids = np.asarray(lens.labels)
        row, depth, position, place = np.nonzero(ids >= 0)
        kept = ids[ids >= 0]
        return pd.DataFrame(
            {
                "row": row,
                "depth": np.array(lens.names("depth"), dtype=object)[depth],
                "position": position,
                "place": place,
                "token": [trace.decode(int(token)) for token in kept],
                "token_id": kept,
                "probability": lens.values[ids >= 0],
            }
        )

    def _summary(self, trace: Run) -> str:
        """Say what leads at the selected depth and position, and how large the target is there."""
        return self._said(trace, at_once=False)

    def _figure(self, trace: Run) -> Figure:
        """Return the grid around the selected position, its most likely tokens and the target's curve."""
        return self._drawn(trace, *self._pictured(trace), at_once=False)

    def _figure_now(self, trace: Run) -> Figure:
        """Return the same from the cells that are here."""
        if self._grid_of(trace).count() == 0:
            return super()._figure_now(trace)
        return self._drawn(trace, *self._pictured(trace), at_once=True)

    def _whole_figure(self, trace: Run) -> Figure:
        """Return the same with all positions."""
        row, _, _ = self._spot(trace)
        return self._drawn(trace, 0, trace.lengths[row], at_once=False)

    def _pictured(self, trace: Run) -> tuple[int, int]:
        """Return the positions that a picture shows."""
        row, _, position = self._spot(trace)
        stop = min(trace.lengths[row], max(position + 1, PICTURED))
        return max(0, stop - PICTURED), stop

    def _cells(self, trace: Run, row: int, start: int, stop: int, *, at_once: bool) -> tuple[wire.Array, wire.Array]:
        """Return the most likely tokens and their probabilities [depth pos k]; at once only those that are here."""
        grid = self._grid_of(trace)
        if at_once or grid.gap(row, start, stop) is None:
            return grid.cells(row, start, stop)
        cells = read_cells(trace, row, start, stop)
        return cells.top_ids.cpu().numpy(), cells.top_probs.float().cpu().numpy()

    def _said(self, trace: Run, *, at_once: bool) -> str:
        row, depth, position = self._spot(trace)
        ids, probabilities = self._cells(trace, row, position, position + 1, at_once=at_once)
        token, share = int(ids[depth, 0, 0]), float(probabilities[depth, 0, 0])
        tokens, read = tokens_of(trace, row), target_position(trace, row)
        return lens_sentence(
            trace.depths[depth],
            (tokens[position], position),
            None if token < 0 else (name_of(trace, token), share),
            target_words(aims_of(trace), row),
            float(read_target(trace).value[row, depth]),
            (tokens[read], read),
        )

    def _drawn(self, trace: Run, start: int, stop: int, *, at_once: bool) -> Figure:
        row, depth, position = self._spot(trace)
        ids, probabilities = self._cells(trace, row, start, stop, at_once=at_once)
        grid = Map(
            probabilities[:, :, 0],
            trace.depths,
            tokens_of(trace, row)[start:stop],
            "sequential",
            1.0,
            "probability",
            "",
            texts=[[name_of(trace, int(token)) if token >= 0 else "" for token in line] for line in ids[:, :, 0]],
            ringed=(depth, position - start),
            upward=True,
            tokens=True,
        )
        chosen = zip(
            ids[depth, position - start].tolist(), probabilities[depth, position - start].tolist(), strict=True
        )
        likeliest = [(name_of(trace, token), probability(share)) for token, share in chosen if token >= 0][:LISTED]
        blocks: list[Block] = [
            grid,
            Table(f"most likely at {trace.depths[depth]}", likeliest or [("not computed yet", "")]),
        ]
        target = read_target(trace)
        if not target.value[row].isnan().all():
            name = f"{target_words(aims_of(trace), row).name} over layers"
            blocks.append(Curve(trace.depths, target.value[row].float().cpu().numpy(), name, unit_of(trace)))
        what = "most likely next token if the model stopped here · probability"
        check = [
            f"output {'=' if one.ok else '≠'} model {'✓' if one.ok else '!'}" for one in target.checks[row : row + 1]
        ]
        sentence = self._said(trace, at_once=at_once) + _left_out(start, stop, trace.lengths[row])
        return Figure("Logit lens", what, facts(trace, *check), sentence, blocks)

    def _spot(self, trace: Run) -> tuple[int, int, int]:
        """Return the row, depth and position shown."""
        row = min(self.selection.row or 0, len(trace.lengths) - 1)
        asked = self.selection.position
        position = target_position(trace, row) if asked is None or asked >= trace.lengths[row] else asked
        return row, min(self.selection.depth, len(trace.depths) - 1), position


def _left_out(start: int, stop: int, length: int) -> str:
    """Say which positions a picture shows, unless it shows all."""
    if (start, stop) == (0, length):
        return ""
    which = f"the last {stop - start}" if stop == length else f"the first {stop}" if start == 0 else ""
    return f" This shows {which or f'positions {start} to {stop - 1}'} of {length} tokens."


def _wanted(trace: Run) -> list[tuple[int, int]]:
    """Return the positions of each row that are read without being requested."""
    return [(0 if length <= WHOLE else length - LAST, length) for length in trace.lengths]
