"""Checks what `from_arrays` takes: the shape of numbers, and the texts of tokens."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from residscope.quantity import Numbers, numbers_of

_LARGEST_HALF = float(np.finfo(np.float16).max)


def small(numbers: Numbers, what: str) -> Numbers:
    """Return numbers that can be sent in half precision.

    Raises:
        ValueError: for larger ones.
    """
    if max(np.fmax.reduce(numbers, axis=None), -np.fmin.reduce(numbers, axis=None)) > _LARGEST_HALF:
        raise ValueError(f"{what} must be at most {_LARGEST_HALF:,.0f} in size: they are sent in half precision")
    return numbers


def shaped(value: Any, what: str, *shapes: str) -> Numbers:
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
