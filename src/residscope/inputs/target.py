"""The number being explained: a logit difference, a log-probability or a logit, read at one position of each row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.analysis.attribution import unembedded
from residscope.errors import brief, count, whole_number

Alone = Literal["log-probability", "logit"]
"""What one answer alone is explained by."""


@dataclass(frozen=True)
class Answer:
    """One side of a target: token ids, whose logits are averaged, and the text that names them."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Target:
    """What is explained, as terms that stay fixed under interventions: row, position, token ids.

    With a wrong answer it is the logit of the right one less that of the wrong one, in logits; with a right answer
    alone it is that answer's log-probability, in nats, or its logit. Positive always means towards the right answer.
    A single logit means little: a constant added to all logits, as weight processing does, changes it and nothing else.

    Attributes:
        positions: where each row's logits are read, counted in the row's own tokens from 0.
        right: the right answer of each row.
        wrong: the wrong answer of each row, or None for right answers alone.
        alone: what these are explained by, their log-probability or their logit.
    """

    positions: tuple[int, ...]
    right: tuple[Answer, ...]
    wrong: tuple[Answer, ...] | None
    alone: Alone = "log-probability"

    def __post_init__(self) -> None:
        plain = {
            "positions": _whole_numbers("a target is read at whole-numbered positions", self.positions),
            "right": tuple(map(_with_whole_ids, self.right)),
            "wrong": None if self.wrong is None else tuple(map(_with_whole_ids, self.wrong)),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        if self.alone not in get_args(Alone):
            raise ValueError(
                f"one answer alone is explained by its {' or its '.join(get_args(Alone))}, not {self.alone!r:.80}"
            )
        if self.wrong == ():
            raise ValueError("a target without wrong answers has wrong=None, not an empty tuple")
        if not len(self.positions) == len(self.right) == len(self.wrong or self.right):
            given = count(len(self.positions), "position")
            wrong = count(len(self.wrong or self.right), "wrong answer")
            raise ValueError(
                f"a target has one position, right and wrong answer a row, not {given}, {len(self.right)} right and "
                f"{wrong}"
            )

    @property
    def unit(self) -> Literal["logits", "nats"]:
        """Return the unit of the target's value."""
        return "nats" if self.wrong is None and self.alone == "log-probability" else "logits"

    @property
    def names(self) -> list[str]:
        """Name the number in words, one a row."""
        if self.wrong is None:
            called = "log P" if self.unit == "nats" else "logit"
            return [f"{'mean ' if len(answer.ids) > 1 else ''}{called}({answer.text!r})" for answer in self.right]
        return [f"{r.text!r} \N{MINUS SIGN} {w.text!r}" for r, w in zip(self.right, self.wrong, strict=True)]

    @property
    def tokens(self) -> list[int] | None:
        """Return the tokens whose logits it is made of; None for a log-probability, which is made of all."""
        if self.unit == "nats":
            return None
        return sorted({token for answer in (*self.right, *(self.wrong or ())) for token in answer.ids})

    def of_row(self, row: int, times: int) -> "Target":
        """Return one row's target, to be read on several logits of that row."""
        wrong = None if self.wrong is None else (self.wrong[row],) * times
        return Target((self.positions[row],) * times, (self.right[row],) * times, wrong, self.alone)

    def value(self, logits: Float[Tensor, "row d_vocab"]) -> Float[Tensor, "row"]:
        """Return the target on logits read at `positions`."""
        return self.along(logits) - (logits.logsumexp(-1) if self.unit == "nats" else 0)

    def along(self, logits: Float[Tensor, "row d_vocab"]) -> Float[Tensor, "row"]:
        """Return the part of the target that is linear in the logits: right less wrong, or right alone."""
        return (self._answer_weights(logits) * logits).sum(-1)

    def gradient(self, logits: Float[Tensor, "row d_vocab"]) -> Float[Tensor, "row d_vocab"]:
        """Return the token weights w: the target's gradient in the logits, constant but for a log-probability."""
        weights = self._answer_weights(logits)
        return weights - logits.softmax(-1) if self.unit == "nats" else weights

    def directions(
        self, W_U: Float[Tensor, "d_model d_vocab"], logits: Float[Tensor, "row d_vocab"]
    ) -> Float[Tensor, "row d_model"]:
        """Return W_U w: the direction of the final norm's output along which the target grows."""
        return unembedded(self.gradient(logits), W_U, self.tokens)

    def _answer_weights(self, like: Float[Tensor, "row d_vocab"]) -> Float[Tensor, "row d_vocab"]:
        weights = torch.zeros_like(like)
        for sign, side in ((1.0, self.right), (-1.0, self.wrong or ())):
            for row, answer in enumerate(side):
                for token in answer.ids:
                    weights[row, token] += sign / len(answer.ids)
        return weights


def _with_whole_ids(answer: Answer) -> Answer:
    if not len(answer.ids):
        raise ValueError("an answer has one token id or more, not none")
    return replace(answer, ids=_whole_numbers("an answer has token ids, whole numbers", answer.ids))


def _whole_numbers(wanted: str, given: Sequence[object]) -> tuple[int, ...]:
    """Return these numbers as Python's own; numpy's and torch's are taken."""
    numbers = tuple(number for number in map(whole_number, given) if number is not None)
    if len(numbers) < len(given):
        raise ValueError(f"{wanted}, not {brief(given)}")
    return numbers


@dataclass(frozen=True)
class Named:
    """What plain numbers are called, in place of a target that a model explains.

    Attributes:
        positions: where each row ends.
        names: one a row.
        unit: of all.
    """

    positions: tuple[int, ...]
    names: tuple[str, ...]
    unit: str
    right: tuple[Answer, ...] = ()
    wrong: None = None
