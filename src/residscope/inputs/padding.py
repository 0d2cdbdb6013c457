"""Padded rows of token ids, and the mask that says which tokens are real."""

from collections.abc import Mapping, Sequence
from typing import Any

from residscope.errors import InputError, count
from residscope.inputs.vocabulary import Span


def unpacked(value: Any, mask: Any) -> tuple[Any, Any]:
    """Return the ids and mask that a tokenizer returned, a dict with input_ids; anything else unchanged.

    Args:
        value: one such dict, or a list of them.
        mask: if given, used instead of theirs.
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
    """Return where the real tokens of each row are, [start, end).

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
        raise InputError("mask", "a mask has the tokens' shape, 1 at real tokens and 0 at padding")
    if [len(row) for row in rows] != list(lengths):
        raise InputError("mask", "the mask does not have the tokens' shape: give one mark per token, 1 at real tokens")
    return [_span(row) for row in rows]


def padding_note(rows: Sequence[Sequence[int]], pad: int | None, bos: int | None, name: str) -> str:
    """Say that a row of ids begins or ends with unmasked padding; nothing where none does.

    Args:
        rows: of ids.
        pad: the padding token.
        bos: the BOS, which may begin a row even if it is also the padding token.
        name: what to call the padding token.
    """
    for at, row in enumerate(rows):
        real = [position for position, token in enumerate(row) if token != pad]
        before, after = (real[0], len(row) - 1 - real[-1]) if real else (0, 0)
        before -= int(pad == bos and before > 0)
        if before or after:
            where, many = ("begins", before) if before else ("ends", after)
            return (
                f"Row {at} of the ids {where} with {count(many, 'padding token')} ({name}), which are read as part "
                "of the prompt: give mask=..., 1 at real tokens, as in the tokenizer's attention_mask."
            )
    return ""


def _is_marked(row: Any) -> bool:
    return isinstance(row, Sequence) and all(mark in (0, 1) for mark in row)


def _span(marks: Sequence[int]) -> Span:
    real = [position for position, mark in enumerate(marks) if mark]
    if not real or real[-1] - real[0] + 1 != len(real):
        raise InputError(
            "mask", "the mask has gaps: in each row, real tokens must stand together, with padding before or after them"
        )
    return real[0], real[-1] + 1
