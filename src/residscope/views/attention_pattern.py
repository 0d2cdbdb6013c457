"""Where heads look: one head large, pinned ones beside it."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from torch import Tensor

from residscope import wire
from residscope.experiment import Experiment
from residscope.sources import NoSplitError
from residscope.trace import Trace
from residscope.views.base import View
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd

ATTENTION, WEIGHTED, EFFECT = "attention", "value-weighted", "direct effect"

_UNITS = {WEIGHTED: "norm in the residual stream"}

_HEAD_NAME = re.compile(r"L(\d+)H(\d+)")


class AttentionPattern(View):
    """A query-by-key map of the selected head: how much each token looks at each earlier one.

    All patterns of a run up to 4 MB go to the browser at once, so that a click needs no kernel; above that the
    kernel sends the selected and pinned heads.
    """

    bundle_name = "attention_pattern"

    colour = traitlets.Enum((ATTENTION, WEIGHTED, EFFECT), ATTENTION).tag(sync=True)
    """What is shown: "attention"; "value-weighted" (times the length of the value it moves); or "direct effect" (what
    the head moves from key to query along the target, in its unit)."""
    hide_first = traitlets.Bool(False).tag(sync=True)
    """Whether the first key is blanked, where many heads rest, and the colours run to the largest number left."""
    _heads = traitlets.Bytes(b"").tag(sync=True)

    from_browser = View.from_browser | {"colour", "hide_first"}

    def __init__(self, experiment: Experiment, **traits: Any) -> None:
        super().__init__(experiment, **traits)
        self.selection.observe(self._fetch, ["head", "pinned", "row"])
        self.observe(self._fetch, "colour")

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return each row's packed patterns, or none where they are too large to send ahead."""
        if not trace.patterns_travel_ahead or self.colour != ATTENTION:
            self._send_heads(trace)
        info = {
            "ahead": trace.patterns_travel_ahead,
            "windows": [window and asdict(window) for window in trace.windows],
        }
        if not trace.patterns_travel_ahead:
            return {}, info
        layers = []
        for layer in range(trace.n_layers):
            if ticket:
                ticket.step("pattern", layer, trace.n_layers)
            layers.append(trace.attention(layer).half().cpu().numpy())
        return {
            f"row.{row}": wire.lower_triangles(np.stack([layer[row, :, :length, :length] for layer in layers]))
            for row, length in enumerate(trace.lengths)
        }, info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per query and key of the selected head (L0H0 when none is selected) in the selected row.

        Where the colour is not the attention, its number stands beside the weight.
        """
        import pandas as pd

        trace = self.experiment.trace
        (layer, head), row = self.selection.head or (0, 0), self.selection.row or 0
        if row >= len(trace.lengths):
            raise IndexError(f"there is no prompt {row}: this run has prompts 0 to {len(trace.lengths) - 1}")
        length = trace.lengths[row]
        query, key = np.tril_indices(length)
        tokens = np.array(trace.str_tokens[row], dtype=object)
        columns = {
            "head": f"L{layer}H{head}",
            "row": row,
            "query": query,
            "key": key,
            "query_token": tokens[query],
            "key_token": tokens[key],
            "weight": _cells(trace.attention(layer, head)[row], query, key),
        }
        if self.colour != ATTENTION:
            columns[self.colour] = _cells(_maps(trace)[self.colour](layer, head)[row], query, key)
        return pd.DataFrame(columns)

    def summary(self, trace: Trace) -> str:
        """Say where the selected head looks from where the target is read."""
        if self.selection.head is None:
            return "no head is selected"
        layer, head = self.selection.head
        row = self.selection.row or 0
        if row >= len(trace.lengths):
            return "the selection is not in this run"
        position = trace.target.positions[row] if self.selection.position is None else self.selection.position
        if not (layer < trace.n_layers and head < trace.n_heads and position < trace.lengths[row]):
            return "the selection is not in this run"
        weights = trace.attention(layer, head)[row, position].nan_to_num()
        key = int(weights.argmax())
        tokens = trace.str_tokens[row]
        return (
            f"L{layer}H{head} at {tokens[position]!r} ({position}) looks most at {tokens[key]!r} ({key}) "
            f"with {float(weights[key]):.3g}"
        )

    def close(self) -> None:
        """Stop following the selection, and close the widget."""
        if self.comm is not None:
            self.selection.unobserve(self._fetch, ["head", "pinned", "row"])
        super().close()

    def _fetch(self, _change: Any) -> None:
        trace = self.experiment.trace_or_none
        if trace is not None and not (trace.patterns_travel_ahead and self.colour == ATTENTION):
            with suppress(RuntimeError):  # the experiment is closed, and the view keeps what it has
                self.experiment.soon(f"patterns of {self.model_id}", lambda _ticket: self._send_heads(trace))

    def _send_heads(self, trace: Trace) -> None:
        row = self.selection.row or 0
        heads = [(int(m[1]), int(m[2])) for m in map(_HEAD_NAME.fullmatch, self.selection.pinned) if m]
        if self.selection.head is not None:
            heads.insert(0, self.selection.head)
        heads = [(layer, head) for layer, head in heads if layer < trace.n_layers and head < trace.n_heads]
        if not heads or row >= len(trace.lengths):
            return
        arrays: dict[str, wire.Array] = {}
        info: dict[str, Any] = {"row": row, "heads": [list(head) for head in heads], "colour": self.colour}
        if not trace.patterns_travel_ahead:
            arrays["patterns"] = _packed(trace, row, heads, trace.attention)
        if self.colour != ATTENTION:
            info["unit"] = _UNITS.get(self.colour, trace.target.unit)
            try:
                arrays["values"] = _packed(trace, row, heads, _maps(trace)[self.colour])
            except NoSplitError as error:
                info["refused"] = wire.text(str(error))
        self._heads = wire.pack(trace.number, arrays, info)


def _maps(trace: Trace) -> dict[str, Callable[[int, int], Tensor]]:
    return {ATTENTION: trace.attention, WEIGHTED: trace.value_weighted, EFFECT: trace.source_split}


def _cells(pattern: Tensor, query: wire.Array, key: wire.Array) -> wire.Array:
    return pattern.cpu().numpy()[query, key]


def _packed(trace: Trace, row: int, heads: list[tuple[int, int]], of: Callable[[int, int], Tensor]) -> wire.Array:
    length = trace.lengths[row]
    return wire.lower_triangles(
        np.stack([of(layer, head)[row, :length, :length].half().cpu().numpy() for layer, head in heads])
    )
