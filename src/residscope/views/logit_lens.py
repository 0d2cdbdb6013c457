"""What the model would say if it stopped at each depth, at each position."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from residscope.arrays import ArrayRun, Run
from residscope.experiment import Experiment
from residscope.export.figure import Block, Curve, Figure, Map, Table
from residscope.export.words import number, probability
from residscope.fixed import Fixed
from residscope.header import name_of, texts_of, tokens_of
from residscope.live import wire
from residscope.live.shared import Selection
from residscope.live.widget import made_whole
from residscope.live.worker import Ticket
from residscope.runs.lens import LensCells
from residscope.views.base import View
from residscope.views.captions import caption, facts, target_name
from residscope.views.checks import check_info
from residscope.views.lens_arrays import lens_run

if TYPE_CHECKING:
    import pandas as pd

TOP_K = 10

WHOLE, LAST = 64, 32
"""Of prompts up to so many tokens all positions are read; of longer ones the last, and those that come on screen."""

MOST_ASKED = 256

PICTURED, LISTED = 10, 5
"""How many positions, and how many tokens of one cell, a still picture has."""


class LogitLens(View):
    """A positions-by-depths grid of the likeliest next tokens, with the depth slider, top k and the target's curve.

    Of a long prompt the last positions are read at once and the others when they come on screen; the target's curve
    is there for all of them.
    """

    bundle_name = "logit_lens"

    _window: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    _cells = traitlets.Bytes(b"").tag(sync=True)

    from_browser = View.from_browser | {"_window"}

    def __init__(self, experiment: Experiment | Fixed, **traits: Any) -> None:
        super().__init__(experiment, **traits)
        self.watch(self, ["_window"], self._fetch)

    @classmethod
    @made_whole()
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
        """Show any guesses at each depth and position of one prompt; there is no model, and nothing to check.

        Args:
            tokens: the prompt's, as texts.
            top_tokens: `[depth pos k]` or `[depth pos]`, the guesses' texts, the likeliest first.
            top_probs: their probabilities, of the same shape, NaN where there is none.
            depths: what each depth is called, the first at the bottom; None numbers them.
            target: `[depth]`, a number to be drawn over depths.
            name: what that number is.
            unit: its unit.
            selection: share this one, so that a click here selects in other views.

        Raises:
            ValueError: for shapes that do not fit each other.
        """
        run = lens_run(tokens, top_tokens, top_probs, depths=depths, target=target, name=name, unit=unit)
        return cls(Fixed(run), selection=selection)

    def payload(self, trace: Run, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the lens's cells by row, the target at each depth, its curve at every position, and the check."""
        step = (lambda done, total: ticket.step("logit lens", done, total)) if ticket else (lambda _done, _of: None)
        target = trace.lens_target()
        arrays = {
            "target_value": target.value.float().cpu().numpy(),
            "target_rank": target.rank.cpu().numpy().astype(np.int32),
        }
        if trace.target.unit == "logits" and not isinstance(trace, ArrayRun):
            # That of a log-probability would cost as much as all cells.
            arrays["curve"] = trace.target_curve(step=step).cpu().numpy().astype(np.float32)
        starts = [_start(length) for length in trace.lengths]
        shown: set[int] = set()
        for row, (start, stop) in enumerate(zip(starts, trace.lengths, strict=True)):
            cells = trace.lens_cells(row, start, stop, _k(trace), step=step)
            arrays |= {f"{name}.{row}": array for name, array in _arrays(cells).items()}
            shown |= _ids(cells)
        info = {
            "starts": starts,
            "texts": texts_of(trace, shown),
            "check": [check_info(check) for check in target.checks],
            "unit": trace.target.unit,
        }
        return arrays, info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt, depth, position and place among the top k, of all positions."""
        import pandas as pd

        trace = self.trace
        lens = trace.logit_lens(_k(trace))
        ids = lens.top_ids.cpu().numpy()
        row, depth, position, place = np.nonzero(ids >= 0)
        kept = ids[ids >= 0]
        return pd.DataFrame(
            {
                "row": row,
                "depth": np.array(trace.depths, dtype=object)[depth],
                "position": position,
                "place": place,
                "token": [trace.decode(int(token)) for token in kept],
                "token_id": kept,
                "probability": lens.top_probs.cpu().numpy()[ids >= 0],
            }
        )

    def summary(self, trace: Run) -> str:
        """Say what leads at the selected depth and position, and how large the target is there."""
        row, depth, position = self._spot(trace)
        cells = trace.lens_cells(row, position, position + 1, _k(trace))
        leads = name_of(trace, int(cells.top_ids[depth, 0, 0]))
        target = float(trace.lens_target().value[row, depth])
        words = (
            f"at {trace.depths[depth]}, after {tokens_of(trace, row)[position]} ({position}), {leads} leads "
            f"with {probability(float(cells.top_probs[depth, 0, 0]))}"
        )
        told = f"; {target_name(trace, row)} = {number(target)} {trace.target.unit}".rstrip()
        return words if np.isnan(target) else words + told

    def figure(self, trace: Run) -> Figure:
        """Return the grid about the selected position, its likeliest tokens and the target's curve."""
        row, _, position = self._spot(trace)
        stop = min(trace.lengths[row], max(position + 1, PICTURED))
        return self._figure(trace, max(0, stop - PICTURED), stop)

    def whole_figure(self, trace: Run) -> Figure:
        """Return the same with all positions."""
        row, _, _ = self._spot(trace)
        return self._figure(trace, 0, trace.lengths[row])

    def _figure(self, trace: Run, start: int, stop: int) -> Figure:
        row, depth, position = self._spot(trace)
        cells = trace.lens_cells(row, start, stop, _k(trace))
        ids, probabilities = cells.top_ids.cpu().numpy(), cells.top_probs.float().cpu().numpy()
        grid = Map(
            probabilities[:, :, 0],
            trace.depths,
            tokens_of(trace, row)[start:stop],
            "sequential",
            1.0,
            "probability",
            "",
            texts=[[name_of(trace, int(token)) for token in line] for line in ids[:, :, 0]],
            ringed=(depth, position - start),
            upward=True,
            tokens=True,
        )
        chosen = zip(
            ids[depth, position - start].tolist(), probabilities[depth, position - start].tolist(), strict=True
        )
        likeliest = [(name_of(trace, token), probability(share)) for token, share in list(chosen)[:LISTED]]
        blocks: list[Block] = [grid, Table(f"likeliest at {trace.depths[depth]}", likeliest)]
        target = trace.lens_target()
        if not target.value[row].isnan().all():
            name = f"{target_name(trace, row)} over layers"
            blocks.append(Curve(trace.depths, target.value[row].float().cpu().numpy(), name, trace.target.unit))
        what = "most likely next token if the model stopped here · probability"
        check = [
            f"output {'=' if one.ok else '≠'} model {'✓' if one.ok else '!'}" for one in target.checks[row : row + 1]
        ]
        sentence = caption(self.summary(trace)) + _left_out(start, stop, trace.lengths[row])
        return Figure("Logit lens", what, facts(trace, *check), sentence, blocks)

    def _spot(self, trace: Run) -> tuple[int, int, int]:
        """Return the row, depth and position shown."""
        row = min(self.selection.row or 0, len(trace.lengths) - 1)
        asked = self.selection.position
        position = trace.target.positions[row] if asked is None or asked >= trace.lengths[row] else asked
        return row, min(self.selection.depth, len(trace.depths) - 1), position

    def _fetch(self, _change: Any) -> None:
        trace, asked = self.experiment.trace_or_none, self._window
        if trace is not None and _is_window(asked, trace):
            with suppress(RuntimeError):  # the experiment is closed, and the view keeps what it has
                self.experiment.schedule(
                    f"cells of {self.model_id}", lambda ticket: self._send_cells(trace, asked, ticket)
                )

    def _send_cells(self, trace: Run, asked: dict[str, int], ticket: Ticket) -> None:
        row, start, stop = asked["row"], asked["start"], asked["stop"]
        cells = trace.lens_cells(
            row, start, stop, _k(trace), step=lambda done, total: ticket.step("logit lens", done, total)
        )
        info = {"row": row, "start": start, "texts": texts_of(trace, _ids(cells))}
        self._cells = wire.pack(trace.number, _arrays(cells), info)


def _left_out(start: int, stop: int, length: int) -> str:
    """Say which positions a picture shows, where these are not all."""
    if (start, stop) == (0, length):
        return ""
    which = f"the last {stop - start}" if stop == length else f"the first {stop}" if start == 0 else ""
    return f" Shown are {which or f'positions {start} to {stop - 1}'} of {length} tokens."


def _start(length: int) -> int:
    return 0 if length <= WHOLE else length - LAST


def _k(trace: Run) -> int:
    return min(TOP_K, trace.vocabulary_size)


def _ids(cells: LensCells) -> set[int]:
    return set(np.unique(cells.top_ids.cpu().numpy()).tolist())


def _arrays(cells: LensCells) -> dict[str, wire.Array]:
    return {
        "top_ids": cells.top_ids.cpu().numpy().astype(np.int32),
        "top_probs": cells.top_probs.half().cpu().numpy(),
        "entropy": cells.entropy.half().cpu().numpy(),
    }


def _is_window(asked: Any, trace: Run) -> bool:
    """Tell whether the browser asks for positions that this run has, and not for too many at once."""
    if not isinstance(asked, dict) or asked.get("run") != trace.number:
        return False
    numbers = [asked.get(name) for name in ("row", "start", "stop")]
    row, start, stop = (number if type(number) is int else -1 for number in numbers)
    return 0 <= row < len(trace.lengths) and 0 <= start < stop <= min(trace.lengths[row], start + MOST_ASKED)
