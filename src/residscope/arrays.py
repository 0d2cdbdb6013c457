"""Arrays instead of a run: numbers that the user already has, without a model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from residscope.analysis.check import Check, LayerCheck
from residscope.inputs.target import Named
from residscope.live import wire
from residscope.quantity import numbers_of
from residscope.runs.trace import Trace, sent_with_run


class NoModelError(ValueError):
    """A view of arrays was asked for a number that only a model could compute."""


@dataclass(frozen=True)
class ArrayInputs:
    """The tokens of arrays, as `Inputs` holds those of prompts."""

    prompts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    template: tuple[tuple[tuple[int, int], ...], ...]
    bos: None = None
    answers: None = None
    corrupted: None = None


class ArrayRun:
    """Numbers under the names of `Trace`'s methods; a missing number cannot be computed.

    Args:
        tokens: the texts of each row's tokens; empty if the numbers have none.
        n_layers: how many layers the numbers cover.
        n_heads: how many heads a layer has.
        name: what the numbers are.
        unit: their unit.
        depths: the names of the depths.
        is_causal: whether tokens attend only to themselves and earlier ones.
        labels: the names of the parts, if they have names.
        numbers: what each of a trace's methods returns.
    """

    number = 1
    warnings: Sequence[str] = ()
    facts = None

    def __init__(
        self,
        tokens: Sequence[Sequence[str]],
        *,
        n_layers: int = 1,
        n_heads: int = 1,
        name: str = "",
        unit: str = "",
        depths: Sequence[str] = (),
        is_causal: bool = True,
        labels: Sequence[str] = (),
        numbers: dict[str, Callable[..., Any]],
    ) -> None:
        tokens = [[wire.text(one) for one in row] for row in tokens]
        self._texts = list(dict.fromkeys(text for row in tokens for text in row))
        ids = {text: at for at, text in enumerate(self._texts)}
        self.inputs = ArrayInputs(
            prompts=tuple("".join(row) for row in tokens),
            tokens=tuple(tuple(ids[text] for text in row) for row in tokens),
            template=((),) * len(tokens),
        )
        self.lengths = tuple(len(row) for row in tokens)
        ends = tuple(max(0, len(row) - 1) for row in tokens)
        self.target = Named(ends, (wire.text(name),) * len(tokens), wire.text(unit))
        self.target_value = torch.full((len(tokens),), torch.nan)
        self.n_layers, self.n_heads, self.depths = n_layers, n_heads, list(depths)
        self.n_kv_heads = n_heads
        self.labels = labels
        self.windows = (None,) * n_layers
        self.is_causal = is_causal
        self.special_ids: frozenset[int] = frozenset()
        self.numbers = numbers

    def __getattr__(self, name: str) -> Any:
        numbers = self.__dict__.get("numbers", {})
        if name in numbers:
            return numbers[name]
        if hasattr(Trace, name):
            raise NoModelError(
                f"this view shows arrays: there is no model to compute {name} with; show an Experiment instead"
            )
        raise AttributeError(name)

    def call(self, name: str, unit: str) -> None:
        """Name the numbers."""
        self.target = Named(self.target.positions, (wire.text(name),) * len(self.lengths), wire.text(unit))

    @property
    def str_tokens(self) -> list[list[str]]:
        """Return each row's tokens as text."""
        return [[self._texts[token] for token in row] for row in self.inputs.tokens]

    @property
    def patterns_sent_with_run(self) -> bool:
        """Tell whether all maps are small enough to be sent at once."""
        # A square is nearly two triangles.
        return sent_with_run(self.n_layers * self.n_heads * (1 if self.is_causal else 2), self.lengths)

    @property
    def vocabulary_size(self) -> int:
        """Return how many different texts there are."""
        return len(self._texts)

    def sum_check(self) -> list[Check]:
        """Return no check: arrays have nothing to compare with."""
        return []

    def layer_check(self) -> list[LayerCheck]:
        """Return no check."""
        return []

    def token_id(self, text: str) -> int:
        """Return the id of a text, a new id for a new text."""
        text = wire.text(text)
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text)

    def decode(self, token: int) -> str:
        """Return a token's text."""
        return self._texts[token]

    vocabulary_entry = decode


Run = Trace | ArrayRun
"""What a view shows."""


_LARGEST_HALF = float(np.finfo(np.float16).max)


def small(numbers: np.ndarray[Any, np.dtype[np.float32]], what: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return numbers that can be sent in half precision.

    Raises:
        ValueError: for larger ones.
    """
    if (np.abs(numbers) > _LARGEST_HALF).any():
        raise ValueError(f"{what} must be at most {_LARGEST_HALF:,.0f} in size: they are sent in half precision")
    return numbers


def shaped(value: Any, what: str, *shapes: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return numbers with the axes of the last of some shapes, adding leading ones that were left out.

    Args:
        value: the numbers.
        what: their name in an error.
        shapes: the accepted ones, such as "layer head", "row layer head", the fewest axes first.

    Raises:
        TypeError: for anything but numbers.
        ValueError: for the wrong number of axes, or infinity.
    """
    numbers = numbers_of(value, what)
    axes = [len(shape.split()) for shape in shapes]
    if numbers.ndim not in axes or not numbers.size:
        wanted = " or ".join(f"[{shape}]" for shape in shapes)
        raise ValueError(f"{what} have the shape {wanted}, not {list(numbers.shape)}")
    return numbers.reshape((1,) * (axes[-1] - numbers.ndim) + numbers.shape)


def texts_of_rows(tokens: Any) -> list[list[str]]:
    """Return the tokens' texts of each row.

    Raises:
        TypeError: for anything but a list of texts, or of lists of texts.
    """
    sentence = "tokens is a list of texts: model.to_str_tokens(prompt), or [tokenizer.decode([id]) for id in ids]"
    if isinstance(tokens, str) or not isinstance(tokens, Iterable):
        raise TypeError(sentence)
    rows = list(tokens)
    if all(isinstance(one, str) for one in rows):
        return [rows]
    if any(isinstance(row, str) or not isinstance(row, Iterable) for row in rows):
        raise TypeError(sentence)
    listed = [list(row) for row in rows]
    if not all(isinstance(one, str) for row in listed for one in row):
        raise TypeError(sentence)
    return listed


def token_rows(tokens: Any, rows: int, length: int) -> list[list[str]]:
    """Return the tokens' texts of each row.

    Raises:
        TypeError: for tokens that are not texts.
        ValueError: when they do not fit the numbers.
    """
    listed = texts_of_rows(tokens)
    if len(listed) != rows or any(len(row) != length for row in listed):
        have = " and ".join(str(len(row)) for row in listed)
        raise ValueError(
            f"the numbers have {rows} rows of {length} tokens, and tokens has {have}: give one text for each"
        )
    return listed
