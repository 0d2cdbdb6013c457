"""Where heads look: one head large, pinned ones beside it."""

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from residscope import wire
from residscope.trace import Trace
from residscope.views.base import View
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd

_HEAD_NAME = re.compile(r"L(\d+)H(\d+)")


class AttentionPattern(View):
    """A query-by-key map of the selected head: how much each token looks at each earlier one.

    All patterns of a run up to 4 MB go to the browser at once, so that a click needs no kernel; above that the
    kernel sends the selected and pinned heads.
    """

    bundle_name = "attention_pattern"

    _heads = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, experiment: Any, **traits: Any) -> None:
        super().__init__(experiment, **traits)
        self.selection.observe(self._fetch, ["head", "pinned", "row"])

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return each row's packed patterns, or none where they are too large to send ahead."""
        if not trace.patterns_travel_ahead:
            self._send_heads(trace)
            return {}, {"ahead": False}
        layers = []
        for layer in range(trace.n_layers):
            if ticket:
                ticket.step("pattern", layer, trace.n_layers)
            layers.append(trace.attention(layer).half().cpu().numpy())
        return {
            f"row.{row}": wire.lower_triangles(np.stack([layer[row, :, :length, :length] for layer in layers]))
            for row, length in enumerate(trace.lengths)
        }, {"ahead": True}

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per query and key of the selected head (L0H0 when none is selected) in the selected row."""
        import pandas as pd

        trace = self.experiment.trace
        (layer, head), row = self.selection.head or (0, 0), self.selection.row or 0
        if row >= len(trace.lengths):
            raise IndexError(f"there is no prompt {row}: this run has prompts 0 to {len(trace.lengths) - 1}")
        length = trace.lengths[row]
        pattern = trace.attention(layer, head)[row, :length, :length].cpu().numpy()
        query, key = np.tril_indices(length)
        tokens = np.array(trace.str_tokens[row], dtype=object)
        return pd.DataFrame(
            {
                "head": f"L{layer}H{head}",
                "row": row,
                "query": query,
                "key": key,
                "query_token": tokens[query],
                "key_token": tokens[key],
                "weight": pattern[query, key],
            }
        )

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
        if trace is not None and not trace.patterns_travel_ahead:
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
        length = trace.lengths[row]
        patterns = [trace.attention(layer, head)[row, :length, :length].half().cpu().numpy() for layer, head in heads]
        self._heads = wire.pack(
            trace.number,
            {"patterns": wire.lower_triangles(np.stack(patterns))},
            {"row": row, "heads": [list(head) for head in heads]},
        )
