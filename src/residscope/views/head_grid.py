"""Attention of all heads of a layer, or of the pinned ones, as small maps side by side."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import traitlets

from residscope.analysis.scores import KINDS
from residscope.experiment import Experiment
from residscope.export.figure import Figure, Group, Map
from residscope.fixed import Fixed
from residscope.given import Given, Run
from residscope.header import unit_of
from residscope.live import wire
from residscope.live.shared import Selection
from residscope.live.worker import Ticket
from residscope.quantity import Quantity
from residscope.views.answers import NoAnswerError, Sent
from residscope.views.base import View
from residscope.views.captions import caption, facts
from residscope.views.from_arrays import shaped
from residscope.views.head_summary import check_fit
from residscope.views.patterns import flat, given_maps, maps, shrunk
from residscope.views.sentences import maps_sentence

if TYPE_CHECKING:
    import pandas as pd

SIDE = 48
"""How many cells a small map has at most per side; for a longer prompt each shows the largest number under it."""

SELECTED, PINNED = "selected layer", "pinned heads"
HEAD, EFFECT = "head", "direct effect"

_LAYER = re.compile(r"layer (\d{1,4})")
_HEAD_NAME = re.compile(r"L(\d{1,4})H(\d{1,4})")
_KEY = re.compile(r"map/(\d{1,6})/L(\d{1,4})H(\d{1,4})")


class HeadGrid(View):
    """Small attention maps of all heads of a layer, or of the pinned ones. A click selects a head.

    They are in the order of the heads, or sorted by direct effect on the target, or by how much each head behaves like
    a known kind of head.
    """

    _bundle_name = "head_grid"
    _most_axes = 4

    shown: Any = traitlets.Unicode(SELECTED).tag(sync=True)
    """Which heads are shown: "selected layer" (the selected head's, else the last), "layer 3", or "pinned heads"."""
    sort = traitlets.Enum((HEAD, EFFECT, *KINDS), HEAD).tag(sync=True)
    """How they are sorted: by "head", or with the largest "direct effect" or score first."""

    _from_browser = View._from_browser | {"shown", "sort"}

    def __init__(self, experiment: Experiment | Fixed, **traits: Any) -> None:
        super().__init__(experiment, **traits)
        self._watch(self, ["sort"], self._follow_again)

    @classmethod
    def from_arrays(
        cls, weights: Any, tokens: Any, *, values: Any = None, selection: Selection | None = None
    ) -> "HeadGrid":
        """Show any attention weights, one small map per head, without a model.

        Args:
            weights: as for `AttentionPattern.from_arrays`, transformers' `attentions` too.
            tokens: the tokens' texts.
            values: `[layer head]`, a number to sort the heads by, NaN where there is none.
            selection: a selection to share, so that a click here also selects in other views.

        Raises:
            ValueError: for the wrong shape or the wrong number of tokens.
        """
        patterns, rows = given_maps(weights, tokens)
        quantities = [patterns]
        if values is not None:
            heads = shaped(values, "values", "layer head")
            check_fit(heads, patterns, "values")
            quantities.append(Quantity("value", heads, "layer head"))
        return cls.from_quantities(quantities, rows, selection=selection)

    def _payload(self, trace: Run, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return each row's small maps if they go with the run, and the numbers that sort heads [row layer head]."""
        arrays: dict[str, Any] = {}
        if trace.patterns_sent_with_run:
            layers = []
            for layer in range(trace.n_layers):
                if ticket:
                    ticket.step("small maps", layer, trace.n_layers)
                layers.append(maps(trace, layer))
            for row, length in enumerate(trace.lengths):
                of_row = torch.stack([layer[row, :, :length, :length] for layer in layers])
                arrays[f"row.{row}"] = self._packed(trace, of_row)
        if self.sort != HEAD:
            arrays["values"] = self._values(trace)
        return arrays, {
            "ahead": trace.patterns_sent_with_run,
            "causal": trace.is_causal,
            "sort": self.sort,
            "unit": unit_of(trace) if self.sort == EFFECT else "",
        }

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per head shown, in order: its sorting number, and the key it attends to most on average."""
        import pandas as pd

        trace = self.trace
        row = min(self.selection.row or 0, len(trace.lengths) - 1)
        length, rows = trace.lengths[row], []
        values = None if self.sort == HEAD else self._values(trace)[row]
        for layer, head in self._heads(trace):
            weights = maps(trace, layer, head)[row, :length, :length].float().nan_to_num()
            key = int(weights.mean(0).argmax()) if length else 0
            rows.append(
                {"head": f"L{layer}H{head}", "layer": layer, "row": row, "most_looked_at": trace.str_tokens[row][key]}
                | ({} if values is None else {self.sort: float(values[layer, head])})
            )
        return pd.DataFrame(rows)

    def _summary(self, trace: Run) -> str:
        """Name the heads shown and their order."""
        heads = self._heads(trace)
        if not heads:
            return "no pinned head is in this run" if self.shown == PINNED else "there is no such layer in this run"
        row = min(self.selection.row or 0, len(trace.lengths) - 1)
        first = None if self.sort == HEAD else float(self._values(trace)[row, *heads[0]])
        unit = unit_of(trace) if self.sort == EFFECT else ""
        return maps_sentence(heads, first, self.sort, unit, [_on_first(trace, row, *head) for head in heads])

    def _figure(self, trace: Run) -> Figure:
        """Return the small maps with the heads' names."""
        row = min(self.selection.row or 0, len(trace.lengths) - 1)
        length = trace.lengths[row]
        drawn = []
        for layer, head in self._heads(trace):
            values = maps(trace, layer, head)[row, :length, :length].float().cpu().numpy().copy()
            if trace.is_causal:
                values[np.triu_indices(length, 1)] = np.nan
            labels = [str(position) for position in range(length)]
            drawn.append((f"L{layer}H{head}", Map(values, labels, labels, "sequential", 1.0, "attention", "")))
        what = f"attention of each token (row) to each {'earlier' if trace.is_causal else 'other'} one · 0 to 1"
        said = self._summary(trace)
        return Figure("Head maps", what, facts(trace), said if drawn else caption(said), [Group(drawn)])

    @traitlets.validate("shown")
    def _check_shown(self, proposal: Any) -> str:
        value = str(proposal["value"])
        if value not in (SELECTED, PINNED) and not _LAYER.fullmatch(value):
            raise traitlets.TraitError(f"shown is {SELECTED!r}, {PINNED!r} or 'layer 3', not {value!r:.80}")
        return value

    def _heads(self, trace: Run) -> list[tuple[int, int]]:
        """Return the heads shown, in order."""
        if self.shown == PINNED:
            named = [(int(m[1]), int(m[2])) for m in map(_HEAD_NAME.fullmatch, self.selection.pinned) if m]
            heads = [(layer, head) for layer, head in named if layer < trace.n_layers and head < trace.n_heads]
        else:
            layer = self._layer(trace)
            heads = [(layer, head) for head in range(trace.n_heads)] if layer < trace.n_layers else []
        if self.sort == HEAD or not heads:
            return heads
        row = min(self.selection.row or 0, len(trace.lengths) - 1)
        values = np.nan_to_num(self._values(trace)[row], nan=-np.inf)
        return sorted(heads, key=lambda head: -values[head])

    def _layer(self, trace: Run) -> int:
        named = _LAYER.fullmatch(self.shown)
        if named:
            return int(named[1])
        head = self.selection.head
        return head[0] if head and head[0] < trace.n_layers else trace.n_layers - 1

    def _values(self, trace: Run) -> wire.Array:
        """Return the numbers that sort the heads [row layer head]."""
        if isinstance(trace, Given):
            return trace.numbers(self.sort, "layer", "head")
        if self.sort != EFFECT:
            return trace.head_scores(self.sort).cpu().numpy()
        values = trace.head_attribution().cpu().numpy().astype(np.float32)
        return np.broadcast_to(values, (len(trace.lengths), *values.shape[1:]))

    def _selected_keys(self, trace: Run) -> list[str]:
        """Return the keys of the heads shown, unless their maps are sent with the run."""
        row = self.selection.row or 0
        if trace.patterns_sent_with_run or row >= len(trace.lengths):
            return []
        return [f"map/{row}/L{layer}H{head}" for layer, head in self._heads(trace)]

    def _answer_to(self, trace: Run, key: str, _ticket: Ticket) -> Sent:
        """Return one head's small map in one row.

        Raises:
            NoAnswerError: for a key that the run does not have.
        """
        match = _KEY.fullmatch(key)
        if not match or int(match[1]) >= len(trace.lengths):
            raise NoAnswerError(f"there is no {key!r:.80} in this run")
        row, layer, head = map(int, match.groups())
        length = trace.lengths[row]
        return {"weights": self._packed(trace, maps(trace, layer, head)[row, :length, :length])}, {}

    def _packed(self, trace: Run, patterns: torch.Tensor) -> wire.Array:
        return flat(trace, shrunk(trace, patterns, SIDE).half().cpu().numpy())


def _on_first(trace: Run, row: int, layer: int, head: int) -> float:
    """Return how much of their attention the queries after the first pay to the first key, NaN of a long prompt."""
    length = trace.lengths[row]
    if length > SIDE:
        return np.nan
    weights = maps(trace, layer, head)[row, 1:length, :length].double()
    total = float(weights.nansum())
    return float(weights[:, 0].nansum()) / total if total > 0 else np.nan
