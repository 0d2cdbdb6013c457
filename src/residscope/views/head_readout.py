"""One head on one card: what it attends to, what it writes, what it adds to the target, what kind it is."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from residscope.export.figure import Block, Figure, Table
from residscope.export.words import number, share
from residscope.given import Run
from residscope.header import name_of, target_position, text_of, texts_of, tokens_of
from residscope.inputs.interventions import AblationKind
from residscope.live.shared import Selection
from residscope.live.worker import Ticket
from residscope.runs.causal import causal_effect
from residscope.runs.trace import Trace
from residscope.views.answers import NoAnswerError, Sent
from residscope.views.base import View
from residscope.views.captions import caption, facts, refusal, spot_of
from residscope.views.head_summary import HeadSummary, given_heads, head_summary
from residscope.views.patterns import given_maps
from residscope.views.sentences import card_sentence
from residscope.views.target_words import aims_of, target_words

if TYPE_CHECKING:
    import pandas as pd

_CAUSAL_KEY = re.compile(r"causal/(\d{1,6})/L(\d{1,4})H(\d{1,4})")

_KEY = re.compile(r"card/(\d{1,6})/L(\d{1,4})H(\d{1,4})/(\d{1,9})")


class HeadReadout(View):
    """The selected head at the selected position, on one card.

    The card shows what it attends to, the tokens that its output promotes and suppresses most, its direct effect on the
    target, and how much it behaves like a known kind of head.
    """

    _bundle_name = "head_readout"
    _most_axes = 4
    _of_one_head = True

    @classmethod
    def from_arrays(
        cls,
        weights: Any,
        tokens: Any,
        *,
        effects: Any = None,
        writes: Any = None,
        vocabulary: Any = None,
        name: str = "",
        unit: str = "",
        selection: Selection | None = None,
    ) -> "HeadReadout":
        """Show numbers that you have for each head, without a model.

        Args:
            weights: attention weights, as for `AttentionPattern.from_arrays`.
            tokens: the tokens' texts.
            effects: `[layer head]`, any number per head, NaN where there is none.
            writes: `[layer head vocab]`, what each head adds to the logit of each word, the same at every position;
                words with NaN are not listed.
            vocabulary: the words' texts.
            name: what the effects are.
            unit: their unit.
            selection: a selection to share, so that a click in other views also selects here.

        Raises:
            ValueError: for shapes that do not fit together.
        """
        patterns, rows = given_maps(weights, tokens)
        heads = given_heads(patterns, effects=effects, writes=writes, vocabulary=vocabulary, name=name, unit=unit)
        return cls.from_quantities(heads, rows, selection=selection)

    def _payload(self, trace: Run, ticket: Ticket | None) -> Sent:
        """Send nothing of the run itself: the card of the selected head goes with it."""
        del trace, ticket
        return {}, {}

    def _selected_keys(self, trace: Run) -> list[str]:
        """Return the key of the selected head's card."""
        spot = spot_of(trace, self.selection)
        if isinstance(spot, str):
            return []
        layer, head, row, position = spot
        return [f"card/{row}/L{layer}H{head}/{position}"]

    def _answer_to(self, trace: Run, key: str, _ticket: Ticket) -> Sent:
        """Return the card of one head at one position of one row.

        Raises:
            NoAnswerError: for a key that the run does not have, and for a layer without heads.
        """
        causal = _CAUSAL_KEY.fullmatch(key)
        if causal and isinstance(trace, Trace):
            return {}, _causal(trace, *map(int, causal.groups()))
        match = _KEY.fullmatch(key)
        if not match:
            raise NoAnswerError(f"there is no {key!r:.80} in this run")
        row, layer, head, position = map(int, match.groups())
        if row >= len(trace.lengths) or position >= trace.lengths[row]:
            raise NoAnswerError(f"there is no {key!r:.80} in this run")
        card = head_summary(trace, layer, head, row, position)
        if card is None:
            raise NoAnswerError(f"Layer {layer} has no attention heads.")
        return {}, _sent(trace, card)

    def _card(self, trace: Run) -> HeadSummary | str:
        """Return the summary of the selected head, or why there is none."""
        spot = spot_of(trace, self.selection)
        return (
            spot if isinstance(spot, str) else head_summary(trace, *spot) or f"layer {spot[0]} has no attention heads"
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per number on the card: what the head looks at, promotes, suppresses and adds, its scores.

        Raises:
            ValueError: when no head of the run is selected.
        """
        import pandas as pd

        trace = self.trace
        card = self._card(trace)
        if isinstance(card, str):
            raise refusal(card, trace)
        rows: list[tuple[str, str, float]] = []
        rows += [("looks at", trace.str_tokens[card.row][key], weight) for key, weight in card.looks]
        for kind, pairs in _written(card):
            rows += [(kind, text_of(trace, token), value) for token, value in pairs]
        if card.effect is not None:
            rows.append(("direct effect", target_words(aims_of(trace), card.row).name, card.effect))
        rows += [("score", kind, value) for kind, value in card.scores.items()]
        frame = pd.DataFrame(rows, columns=["kind", "name", "value"])
        frame.insert(0, "position", card.position)
        frame.insert(0, "head", f"L{card.layer}H{card.head}")
        return frame

    def _summary(self, trace: Run) -> str:
        """Say what the head attends to, promotes and adds."""
        card = self._card(trace)
        if isinstance(card, str):
            return card
        tokens = tokens_of(trace, card.row)
        (key, weight), *_ = card.looks
        firsts = [name_of(trace, pairs[0][0]) for _, pairs in _written(card) if pairs]
        return card_sentence(
            f"L{card.layer}H{card.head}",
            (tokens[card.position], card.position),
            ((tokens[key], key), weight),
            (firsts[0], firsts[1]) if len(firsts) == 2 else None,
            card.effect,
            target_words(aims_of(trace), card.row),
            there=target_position(trace, card.row) == card.position,
        )

    def _figure(self, trace: Run) -> Figure:
        """Return the card's lists side by side."""
        card = self._card(trace)
        if isinstance(card, str):
            return Figure("Head", "", facts(trace), caption(card))
        tokens = tokens_of(trace, card.row)
        blocks: list[Block] = [
            Table("looks at", [(f"{tokens[key]} ({key})", share(weight)) for key, weight in card.looks])
        ]
        for kind, pairs in _written(card):
            lines = [(name_of(trace, token), number(value, sign=True)) for token, value in pairs]
            blocks.append(Table(f"{kind} · logits", lines))
        if card.scores:
            scores = [(kind, number(value)) for kind, value in card.scores.items()]
            blocks.append(Table("head scores · 0 to 1", scores))
        what = f"L{card.layer}H{card.head} at {tokens[card.position]} ({card.position})"
        return Figure("Head", what, facts(trace), self._summary(trace), blocks)

    def _whole_figure(self, trace: Run) -> Figure:
        """Return the same picture.

        Raises:
            ValueError: when no head of the run is selected.
        """
        card = self._card(trace)
        if isinstance(card, str):
            raise refusal(card, trace)
        return self._figure(trace)


def _causal(trace: Trace, row: int, layer: int, head: int) -> dict[str, Any]:
    """Return what switching a head off costs the target in one row, by what it becomes.

    Raises:
        NoAnswerError: for a row, or a layer with heads, that the run does not have.
    """
    if row >= len(trace.target_value) or trace.head_attribution()[:, layer, head].isnan().all():
        raise NoAnswerError(f"Layer {layer} has no attention heads.")
    kinds: list[AblationKind] = ["mean", "zero"]
    return {"causal": [[kind, float(causal_effect(trace, layer, head, kind)[row])] for kind in kinds]}


def _sent(trace: Run, card: HeadSummary) -> dict[str, Any]:
    """Return a card as plain data."""
    written = _written(card)
    return {
        "texts": texts_of(trace, (token for _, pairs in written for token, _ in pairs)),
        "card": {
            "row": card.row,
            "head": [card.layer, card.head],
            "position": card.position,
            "looks": card.looks,
            "effect": card.effect,
            "rank": card.rank,
            "shares": card.shares,
            "scores": [[kind, None if np.isnan(score) else score] for kind, score in card.scores.items()],
            "writes": [[kind, pairs] for kind, pairs in written],
        },
    }


def _written(card: HeadSummary) -> list[tuple[str, list[tuple[int, float]]]]:
    """Return the tokens that a head promotes and suppresses, with what it adds to each."""
    if card.writes is None:
        return []
    both = (card.writes.promoted, card.writes.adds), (card.writes.suppressed, card.writes.takes)
    return [(kind, _pairs(*one)) for kind, one in zip(("promotes", "suppresses"), both, strict=True)]


def _pairs(ids: Tensor, values: Tensor) -> list[tuple[int, float]]:
    return list(zip(ids.tolist(), values.tolist(), strict=True))
