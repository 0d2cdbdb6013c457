"""The number being explained: logit differences, log-probabilities or logits, each read at a row and a position."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.analysis.attribution import unembedded
from residscope.errors import brief, count, whole_number

Alone = Literal["log-probability", "logit"]
"""What one answer alone is explained by."""

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Answer:
    """One side of a target: token ids, whose logits are averaged, and the text that names them."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Target:
    """The number being explained, as terms that stay fixed under interventions: row, position, token ids.

    With a wrong answer it is the right answer's logit minus the wrong answer's, in logits; with a right answer alone it
    is that answer's log-probability, in nats, or its logit. Positive always means towards the right answer. A single
    logit means little: adding a constant to all logits, as weight processing does, changes it and nothing else.

    Each row has one term, unless `rows` says otherwise; a group of terms is one number, their sum with signs.

    Attributes:
        positions: where each term's logits are read, counted in its row's own tokens from 0.
        right: the right answer of each term.
        wrong: the wrong answer of each term, or None for right answers alone.
        alone: whether right answers alone are explained by their log-probability or their logit.
        rows: the row of each term, or None for one term per row.
        signs: the sign of each term in its group, 1 or -1; None is 1 for all.
        groups: the group of each term, counted from 0; None makes each term a group.
    """

    positions: tuple[int, ...]
    right: tuple[Answer, ...]
    wrong: tuple[Answer, ...] | None
    alone: Alone = "log-probability"
    rows: tuple[int, ...] | None = None
    signs: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        plain: dict[str, Any] = {
            "positions": _whole_numbers("a target's positions are whole numbers", self.positions),
            "right": tuple(map(_with_whole_ids, self.right)),
            "wrong": None if self.wrong is None else tuple(map(_with_whole_ids, self.wrong)),
        }
        for name in ("rows", "signs", "groups"):
            given = getattr(self, name)
            plain[name] = None if given is None else _whole_numbers(f"a target's {name} are whole numbers", given)
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
                f"a target has one position, right and wrong answer per row, not {given}, {len(self.right)} right and "
                f"{wrong}"
            )
        self._check_terms()

    def _check_terms(self) -> None:
        for name in ("rows", "signs", "groups"):
            given = getattr(self, name)
            if given is not None and len(given) != len(self.positions):
                raise ValueError(f"a target needs one of its {name} for each term, not {brief(given)}")
        if min(self.rows or (0,)) < 0:
            raise ValueError(f"a target's rows are counted from 0, not {brief(self.rows)}")
        if not {1, -1}.issuperset(self.signs or ()):
            raise ValueError(f"a target's signs are 1 and -1, not {brief(self.signs)}")
        if self.groups is not None and set(self.groups) != set(range(len(set(self.groups)))):
            raise ValueError(f"a target's groups are 0, 1, ... with at least one term each, not {brief(self.groups)}")

    @property
    def term_rows(self) -> tuple[int, ...]:
        """Return the row that each term is read in."""
        return tuple(range(len(self.positions))) if self.rows is None else self.rows

    @property
    def is_one_a_row(self) -> bool:
        """Tell whether each row has one term, and that is a group of its own."""
        each = tuple(range(len(self.positions)))
        return self.term_rows == each and (self.groups is None or self.groups == each)

    @property
    def unit(self) -> Literal["logits", "nats"]:
        """Return the unit of the target's value."""
        return "nats" if self.wrong is None and self.alone == "log-probability" else "logits"

    @property
    def names(self) -> list[str]:
        """Name the number in words, one per group."""
        named: dict[int, str] = {}
        for term, (name, sign) in enumerate(zip(self._term_names, self._signs, strict=True)):
            group = term if self.groups is None else self.groups[term]
            if group not in named:
                named[group] = name if sign > 0 else f"{MINUS}{name}"
            else:
                named[group] += f" {'+' if sign > 0 else MINUS} {name}"
        return [named[group] for group in sorted(named)]

    @property
    def tokens(self) -> list[int] | None:
        """Return the tokens whose logits it is made of; None for a log-probability, which is made of all."""
        if self.unit == "nats":
            return None
        return sorted({token for answer in (*self.right, *(self.wrong or ())) for token in answer.ids})

    def of_term(self, term: int, times: int) -> "Target":
        """Return one term, to be read on several logits of its row, each a group of its own."""
        wrong = None if self.wrong is None else (self.wrong[term],) * times
        signs = (self._signs[term],) * times
        return Target((self.positions[term],) * times, (self.right[term],) * times, wrong, self.alone, signs=signs)

    def value(self, logits: Float[Tensor, "term d_vocab"]) -> Float[Tensor, "group"]:
        """Return the target on logits read at its terms."""
        return self.summed(self.term_values(logits))

    def term_values(self, logits: Float[Tensor, "term d_vocab"]) -> Float[Tensor, "term"]:
        """Return what each term counts in its group, its sign included."""
        value = (self._answer_weights(logits) * logits).sum(-1)
        return value - self._signed(logits.logsumexp(-1)) if self.unit == "nats" else value

    def summed(self, of_terms: Float[Tensor, "term ..."]) -> Float[Tensor, "group ..."]:
        """Sum over the terms of each group."""
        if self.groups is None:
            return of_terms
        groups = torch.tensor(self.groups, device=of_terms.device)
        return of_terms.new_zeros((max(self.groups) + 1, *of_terms.shape[1:])).index_add(0, groups, of_terms)

    def gradient(self, logits: Float[Tensor, "term d_vocab"]) -> Float[Tensor, "term d_vocab"]:
        """Return the token weights w: the target's gradient in the logits, constant but for a log-probability."""
        weights = self._answer_weights(logits)
        return weights - self._signed(logits.softmax(-1)) if self.unit == "nats" else weights

    def directions(
        self, W_U: Float[Tensor, "d_model d_vocab"], logits: Float[Tensor, "term d_vocab"]
    ) -> Float[Tensor, "term d_model"]:
        """Return W_U w: the direction of the final norm's output along which the target grows."""
        return unembedded(self.gradient(logits), W_U, self.tokens)

    def _answer_weights(self, like: Float[Tensor, "term d_vocab"]) -> Float[Tensor, "term d_vocab"]:
        weights = torch.zeros_like(like)
        for side, answers in ((1.0, self.right), (-1.0, self.wrong or ())):
            for term, answer in enumerate(answers):
                for token in answer.ids:
                    weights[term, token] += side * self._signs[term] / len(answer.ids)
        return weights

    def _signed(self, of_terms: Float[Tensor, "term ..."]) -> Float[Tensor, "term ..."]:
        if self.signs is None:
            return of_terms
        signs = of_terms.new_tensor(self.signs)
        return of_terms * signs.reshape(-1, *(1,) * (of_terms.ndim - 1))

    @property
    def _signs(self) -> tuple[int, ...]:
        return (1,) * len(self.positions) if self.signs is None else self.signs

    @property
    def _term_names(self) -> list[str]:
        if self.wrong is None:
            called = "log P" if self.unit == "nats" else "logit"
            return [f"{'mean ' if len(answer.ids) > 1 else ''}{called}({answer.text!r})" for answer in self.right]
        names = [f"{r.text!r} {MINUS} {w.text!r}" for r, w in zip(self.right, self.wrong, strict=True)]
        return names if self.groups is None else [f"({name})" for name in names]


def _with_whole_ids(answer: Answer) -> Answer:
    if not len(answer.ids):
        raise ValueError("an answer needs at least one token id")
    return replace(answer, ids=_whole_numbers("an answer's token ids are whole numbers", answer.ids))


def _whole_numbers(wanted: str, given: Sequence[object]) -> tuple[int, ...]:
    """Return these numbers as Python's own; numpy's and torch's are taken."""
    numbers = tuple(number for number in map(whole_number, given) if number is not None)
    if len(numbers) < len(given):
        raise ValueError(f"{wanted}, not {brief(given)}")
    return numbers
