"""Attention patterns: one head large, pinned ones beside it."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import traitlets

from residscope.export.figure import Block, Figure, Group, Map
from residscope.export.words import measured
from residscope.given import Run
from residscope.header import tokens_of
from residscope.live.shared import Selection
from residscope.live.worker import Ticket
from residscope.quantity import Quantity
from residscope.runs.sources import NoSplitError
from residscope.views.answers import NoAnswerError, Sent
from residscope.views.base import View
from residscope.views.captions import caption, facts, refusal, spot_of
from residscope.views.patterns import (
    ATTENTION,
    EFFECT,
    WEIGHTED,
    cells_of,
    flat,
    given_maps,
    head_map,
    maps,
    windows,
)
from residscope.views.sentences import looks_sentence

if TYPE_CHECKING:
    import pandas as pd
    from IPython.display import HTML

_HEAD_NAME = re.compile(r"L(\d+)H(\d+)")

_KEY = re.compile(
    r"pattern/(?P<row>\d{1,6})/L(?P<layer>\d{1,4})H(?P<head>\d{1,4})"
    rf"/(?P<colour>{ATTENTION}|{WEIGHTED}|{EFFECT})"
)


class AttentionPattern(View):
    """A query-by-key map of the selected head: how much each token attends to each earlier one.

    Up to 4 MB, all patterns of a run go to the browser at once, so that a click needs no kernel. Above that the kernel
    sends the selected and pinned heads.
    """

    _bundle_name = "attention_pattern"

    colour = traitlets.Enum((ATTENTION, WEIGHTED, EFFECT), ATTENTION).tag(sync=True)
    """What the colours show: "attention"; "value-weighted" (attention times the length of the value it moves); or
    "direct effect" (what the head moves from key to query along the target, in its unit)."""
    hide_first = traitlets.Bool(False).tag(sync=True)
    """Whether to blank the first key, where many heads rest; the colours then run to the largest number left."""

    _from_browser = View._from_browser | {"colour", "hide_first"}
    _most_axes = 4
    _of_one_head = True

    @classmethod
    def from_arrays(cls, weights: Any, tokens: Any, *, selection: Selection | None = None) -> "AttentionPattern":
        """Show any attention weights, without a model. The first head is selected at first.

        Args:
            weights: `[query key]`, `[head query key]`, `[layer head query key]` or `[row layer head query key]`, an
                array, a tensor or nested lists, NaN where there is none; or the `attentions` that transformers returns,
                one `[row head query key]` per layer in a tuple or list. Weights on later tokens, which encoders have,
                are shown too.
            tokens: a list of the tokens' texts, or one such list per row.
            selection: a selection to share, so that a click here also selects in other views.

        Raises:
            TypeError: for tokens that are not a list of texts.
            ValueError: for the wrong shape, the wrong number of tokens, or infinity.
        """
        patterns, rows = given_maps(weights, tokens)
        return cls.from_quantities([patterns], rows, selection=selection)

    def _payload(self, trace: Run, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return each row's packed patterns, or none where they are too large to send ahead."""
        info = {
            "ahead": trace.patterns_sent_with_run,
            "causal": trace.is_causal,
            "windows": windows(trace),
        }
        if not trace.patterns_sent_with_run:
            return {}, info
        layers = []
        for layer in range(trace.n_layers):
            if ticket:
                ticket.step("pattern", layer, trace.n_layers)
            layers.append(maps(trace, layer).half().cpu().numpy())
        return {
            f"row.{row}": flat(trace, np.stack([layer[row, :, :length, :length] for layer in layers]))
            for row, length in enumerate(trace.lengths)
        }, info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per query and key of the selected head in the selected row.

        If the colours show another number, it has a column beside the weight.

        Raises:
            ValueError: when no head of the run is selected.
            IndexError: when the selected row is not in the run.
        """
        import pandas as pd

        trace = self.trace
        row = self.selection.row or 0
        if row >= len(trace.lengths):
            raise IndexError(f"there is no prompt {row}: this run has prompts 0 to {len(trace.lengths) - 1}")
        if self.selection.head is None:
            raise refusal("no head is selected", trace)
        layer, head = self.selection.head
        if layer >= trace.n_layers or head >= trace.n_heads:
            raise refusal("the selected head is not in this run", trace)
        query, key = cells_of(trace, trace.lengths[row])
        tokens = np.array(trace.str_tokens[row], dtype=object)
        columns = {
            "head": f"L{layer}H{head}",
            "row": row,
            "query": query,
            "key": key,
            "query_token": tokens[query],
            "key_token": tokens[key],
            "weight": head_map(trace, layer, head, ATTENTION).values[row][query, key],
        }
        if self.colour != ATTENTION:
            columns[self.colour] = head_map(trace, layer, head, self.colour).values[row][query, key]
        return pd.DataFrame(columns)

    def to_circuitsvis(self) -> "HTML":
        """Return the selected and pinned heads of the newest run as circuitsvis draws them, with its scripts included.

        Raises:
            ValueError: when the run has none of them.
        """
        from circuitsvis.attention import attention_heads
        from IPython.display import HTML

        trace, row = self.trace, self.selection.row or 0
        heads = self._wanted(trace)
        if not heads or row >= len(trace.lengths):
            raise ValueError('no selected or pinned head is in this run: exp.selection.update(head="2.5")')
        length = trace.lengths[row]
        drawn = attention_heads(
            torch.stack([maps(trace, layer, head)[row, :length, :length] for layer, head in heads]).float().cpu(),
            # Tokens are put into a script unescaped: one that closes the script element could run code.
            [token.replace("<", "<\N{ZERO WIDTH SPACE}") for token in tokens_of(trace, row)],
            attention_head_names=[f"L{layer}H{head}" for layer, head in heads],
        )
        return HTML(drawn.local_src)  # type: ignore[no-untyped-call]

    def _summary(self, trace: Run) -> str:
        """Return what the selected head attends to, or moves, at the selected token or where the target is read."""
        spot = spot_of(trace, self.selection)
        if isinstance(spot, str):
            return spot
        layer, head, row, position = spot
        try:
            shown = head_map(trace, layer, head, self.colour)
        except NoSplitError as error:
            return str(error)
        numbers = shown.values[row, position, : trace.lengths[row]]
        if np.isnan(numbers).all():
            return f"Layer {layer} has no attention."
        keys = numbers[: position + 1] if trace.is_causal else numbers
        return looks_sentence(
            f"L{layer}H{head}",
            tokens_of(trace, row),
            position,
            keys,
            self.selection.key,
            self.colour,
            shown.unit,
        )

    def _figure(self, trace: Run) -> Figure:
        """Return the selected head's map, and the pinned heads' small ones, on one scale."""
        spot, row = spot_of(trace, self.selection), self.selection.row or 0
        drawn: dict[tuple[int, int], Quantity] = {}
        if not isinstance(spot, str):
            try:
                drawn[spot[:2]] = self._drawn(trace, row, spot[:2])
            except NoSplitError as error:
                return Figure("Attention", f"L{spot[0]}H{spot[1]}", facts(trace), f"{error}.")
        if row < len(trace.lengths):
            for one in self._pinned(trace):
                with suppress(NoSplitError):  # the reason shows when that head is selected
                    drawn[one] = self._drawn(trace, row, one)
        whole = self.colour == ATTENTION and not self.hide_first
        high = 1.0 if whole else max((one.limit for one in drawn.values()), default=0.0)
        tokens = tokens_of(trace, row) if drawn else []
        pictures = {
            f"L{layer}H{head}": Map(
                one.values,
                tokens,
                tokens,
                one.scale,
                high,
                one.name,
                one.unit,
                ringed=None if isinstance(spot, str) else (spot[3], None),
                tokens=True,
            )
            for (layer, head), one in drawn.items()
        }
        if isinstance(spot, str):
            pinned = [Group(list(pictures.items()))] if pictures else []
            return Figure("Attention", "", facts(trace), caption(spot), pinned)
        (name, selected), *others = pictures.items()
        what = f"{name} · {self.colour}, each token (row) to each {'earlier ' if trace.is_causal else ''}one"
        blocks: list[Block] = [selected, Group(others)] if others else [selected]
        return Figure("Attention", measured(what, selected.unit), facts(trace), self._summary(trace), blocks)

    def _whole_figure(self, trace: Run) -> Figure:
        """Return the same picture.

        Raises:
            ValueError: when no head of the run is selected.
        """
        spot = spot_of(trace, self.selection)
        if isinstance(spot, str):
            raise refusal(spot, trace)
        return self._figure(trace)

    def _selected_keys(self, trace: Run) -> list[str]:
        """Return the keys of the selected and pinned heads' maps, unless these are sent with the run."""
        row = self.selection.row or 0
        ahead = trace.patterns_sent_with_run and self.colour == ATTENTION
        if ahead or row >= len(trace.lengths):
            return []
        return [f"pattern/{row}/L{layer}H{head}/{self.colour}" for layer, head in self._wanted(trace)]

    def _answer_to(self, trace: Run, key: str, _ticket: Ticket) -> Sent:
        """Return one head's map in one row, for one choice of colours.

        Raises:
            NoAnswerError: for a key that the run does not have.
            NoSplitError: where the head's output cannot be split by source token.
        """
        match = _KEY.fullmatch(key)
        if not match or int(match["row"]) >= len(trace.lengths):
            raise NoAnswerError(f"there is no {key!r:.80} in this run")
        row, layer, head = (int(match[name]) for name in ("row", "layer", "head"))
        length = trace.lengths[row]
        values = maps(trace, layer, head, match["colour"])[row, :length, :length].half().cpu().numpy()
        return {"weights": flat(trace, values)}, {}

    def _pinned(self, trace: Run) -> list[tuple[int, int]]:
        """Return the pinned heads that the run has."""
        heads = [(int(m[1]), int(m[2])) for m in map(_HEAD_NAME.fullmatch, self.selection.pinned) if m]
        return [head for head in heads if _has(trace, head)]

    def _wanted(self, trace: Run) -> list[tuple[int, int]]:
        """Return the selected and pinned heads that the run has."""
        selected = self.selection.head
        return list(dict.fromkeys(([selected] if selected and _has(trace, selected) else []) + self._pinned(trace)))

    def _drawn(self, trace: Run, row: int, head: tuple[int, int]) -> Quantity:
        """Return what a head's picture shows [query key], NaN where there is no cell."""
        length, shown = trace.lengths[row], head_map(trace, *head, self.colour).over_rows(row)
        values = shown.values[:length, :length].copy()
        if trace.is_causal:
            values[np.triu_indices(length, 1)] = np.nan
        if self.hide_first:
            values[:, 0] = np.nan
        return replace(shown, values=values)


def _has(trace: Run, head: tuple[int, int]) -> bool:
    return head[0] < trace.n_layers and head[1] < trace.n_heads
