"""Token ids in padded rows, and the mask that tells which of them are real."""

from collections.abc import Mapping, Sequence
from typing import Any

from residscope.errors import InputError, count
from residscope.inputs.vocabulary import Span


def unpacked(value: Any, mask: Any) -> tuple[Any, Any]:
    """Return ids and mask of what a tokenizer returned, a dict with input_ids; all else as it is.

    Args:
        value: one such dict, or a list of them.
        mask: if given, it counts and not theirs.
    """
    if is_encoding(value):
        return value["input_ids"], value.get("attention_mask") if mask is None else mask
    if isinstance(value, list | tuple) and value and all(map(is_encoding, value)):
        ids = [row for one in value for row in as_rows(one["input_ids"])]
        if mask is None and all("attention_mask" in one for one in value):
            mask = [row for one in value for row in as_rows(one["attention_mask"])]
        return ids, mask
    return value, mask


def is_encoding(value: Any) -> bool:
    """Tell whether this is what a tokenizer returns."""
    return isinstance(value, Mapping) and "input_ids" in value


def as_rows(value: Any) -> Any:
    """Return an array as lists, and one row as a list of one."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    is_row = isinstance(plain, Sequence) and plain and not isinstance(plain[0], Sequence)
    return [plain] if is_row else plain


def real_spans(mask: Any, lengths: Sequence[int]) -> list[Span]:
    """Return where the real tokens of each row stand, [start, end).

    Args:
        mask: 1 at real tokens, 0 at padding; None where there is none.
        lengths: of the rows, padding included.

    Raises:
        InputError: for a mask of another shape, or one with gaps.
    """
    if mask is None:
        return [(0, length) for length in lengths]
    rows = as_rows(mask)
    if not isinstance(rows, Sequence) or not all(map(_is_marked, rows)):
        raise InputError("mask", "a mask is of the tokens' shape, 1 at real ones and 0 at padding")
    if [len(row) for row in rows] != list(lengths):
        raise InputError("mask", "the mask is not of the tokens' shape: give one mark a token, 1 at real ones")
    return [_span(row) for row in rows]


def padding_note(rows: Sequence[Sequence[int]], pad: int | None, bos: int | None, name: str) -> str:
    """Say that rows of ids begin or end with padding that no mask tells of; nothing where none does.

    Args:
        rows: of ids, as they are read.
        pad: the padding token.
        bos: the BOS, one of which may begin a row although it is the padding token, too.
        name: the padding token's.
    """
    for at, row in enumerate(rows):
        real = [position for position, token in enumerate(row) if token != pad]
        before, after = (real[0], len(row) - 1 - real[-1]) if real else (0, 0)
        before -= int(pad == bos and before > 0)
        if before or after:
            where, many = ("begins", before) if before else ("ends", after)
            return (
                f"Row {at} of the ids {where} with {count(many, 'padding token')} ({name}), read here as part of the "
                "prompt: give mask=..., 1 at real tokens, as the tokenizer's attention_mask."
            )
    return ""


def _is_marked(row: Any) -> bool:
    return isinstance(row, Sequence) and all(mark in (0, 1) for mark in row)


def _span(marks: Sequence[int]) -> Span:
    real = [position for position, mark in enumerate(marks) if mark]
    if not real or real[-1] - real[0] + 1 != len(real):
        raise InputError(
            "mask", "each row's real tokens stand together, padding before or after: give such a mask, 1 at real ones"
        )
    return real[0], real[-1] + 1
