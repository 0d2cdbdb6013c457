"""What the model would say if it stopped at each depth, at each position."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from residscope import wire
from residscope.experiment import Experiment
from residscope.readout import LensCells
from residscope.scene import texts_of
from residscope.trace import Trace
from residscope.views.base import View
from residscope.views.checks import check_info
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd

TOP_K = 10

WHOLE, LAST = 64, 32
"""Of prompts up to so many tokens all positions are read; of longer ones the last, and those that come on screen."""

MOST_ASKED = 256


class LogitLens(View):
    """A positions-by-depths grid of the likeliest next tokens, with the depth slider, top k and the target's curve.

    Of a long prompt the last positions are read at once and the others when they come on screen; the target's curve
    is there for all of them.
    """

    bundle_name = "logit_lens"

    _window: Any = traitlets.Dict(None, allow_none=True).tag(sync=True)
    _cells = traitlets.Bytes(b"").tag(sync=True)

    from_browser = View.from_browser | {"_window"}

    def __init__(self, experiment: Experiment, **traits: Any) -> None:
        super().__init__(experiment, **traits)
        self.observe(self._fetch, "_window")

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the lens's cells by row, the target at each depth, its curve at every position, and the check."""
        step = (lambda done, total: ticket.step("logit lens", done, total)) if ticket else (lambda _done, _of: None)
        target = trace.lens_target()
        arrays = {
            "target_value": target.value.float().cpu().numpy(),
            "target_rank": target.rank.cpu().numpy().astype(np.int32),
        }
        if trace.target.unit == "logits":
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

        trace = self.experiment.trace
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

    def summary(self, trace: Trace) -> str:
        """Say what leads at the selected depth where the target is read."""
        depth = min(self.selection.depth, len(trace.depths) - 1)
        position = trace.target.positions[0]
        cells = trace.lens_cells(0, position, position + 1, _k(trace))
        return (
            f"at {trace.depths[depth]}, position {position}, {trace.decode(int(cells.top_ids[depth, 0, 0]))!r} leads "
            f"with {float(cells.top_probs[depth, 0, 0]):.3g}; {trace.target.names[0]} = "
            f"{float(trace.lens_target().value[0, depth]):.3g} {trace.target.unit}"
        )

    def _fetch(self, _change: Any) -> None:
        trace, asked = self.experiment.trace_or_none, self._window
        if trace is not None and _is_window(asked, trace):
            with suppress(RuntimeError):  # the experiment is closed, and the view keeps what it has
                self.experiment.soon(f"cells of {self.model_id}", lambda ticket: self._send_cells(trace, asked, ticket))

    def _send_cells(self, trace: Trace, asked: dict[str, int], ticket: Ticket) -> None:
        row, start, stop = asked["row"], asked["start"], asked["stop"]
        cells = trace.lens_cells(
            row, start, stop, _k(trace), step=lambda done, total: ticket.step("logit lens", done, total)
        )
        info = {"row": row, "start": start, "texts": texts_of(trace, _ids(cells))}
        self._cells = wire.pack(trace.number, _arrays(cells), info)


def _start(length: int) -> int:
    return 0 if length <= WHOLE else length - LAST


def _k(trace: Trace) -> int:
    return min(TOP_K, trace.vocabulary_size)


def _ids(cells: LensCells) -> set[int]:
    return set(np.unique(cells.top_ids.cpu().numpy()).tolist())


def _arrays(cells: LensCells) -> dict[str, wire.Array]:
    return {
        "top_ids": cells.top_ids.cpu().numpy().astype(np.int32),
        "top_probs": cells.top_probs.half().cpu().numpy(),
        "entropy": cells.entropy.half().cpu().numpy(),
    }


def _is_window(asked: Any, trace: Trace) -> bool:
    """Tell whether the browser asks for positions that this run has, and not for too many at once."""
    if not isinstance(asked, dict) or asked.get("run") != trace.number:
        return False
    numbers = [asked.get(name) for name in ("row", "start", "stop")]
    row, start, stop = (number if type(number) is int else -1 for number in numbers)
    return 0 <= row < len(trace.lengths) and 0 <= start < stop <= min(trace.lengths[row], start + MOST_ASKED)
