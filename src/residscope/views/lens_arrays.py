"""A run made of guesses at each depth and position of one prompt."""

from collections.abc import Sequence
from typing import Any

import torch

from residscope.arrays import ArrayRun, shaped, small, token_rows
from residscope.live import wire
from residscope.quantity import numbers_of
from residscope.runs.lens import LensCells, LensReadout, LensTarget


def lens_run(
    tokens: Sequence[str],
    top_tokens: Sequence[Sequence[Any]],
    top_probs: Any,
    *,
    depths: Sequence[str] | None,
    target: Any,
    name: str,
    unit: str,
) -> ArrayRun:
    """Return a run of these guesses, with the arguments of `LogitLens.from_arrays`.

    Raises:
        ValueError: for shapes that do not fit together.
    """
    given = numbers_of(top_probs, "top_probs")
    given = shaped(given[..., None] if given.ndim == 2 else given, "top_probs", "depth pos k")
    guesses: list[list[list[Any]]] = [
        [[one] if isinstance(one, str | int) else list(one) for one in line] for line in top_tokens
    ]
    n_depths, length, k = small(given, "top_probs").shape
    if not all(isinstance(text, str) for line in guesses for one in line for text in one):
        raise TypeError("top_tokens holds texts, in lists [depth pos k]: tokenizer.decode([id]) for each id")
    if len(guesses) != n_depths or any(len(line) != length or any(len(one) != k for one in line) for line in guesses):
        raise ValueError(f"top_tokens must have the shape of top_probs, [depth pos k] = {[*given.shape]}")
    names = [str(depth) for depth in range(n_depths)] if depths is None else [wire.text(str(one)) for one in depths]
    values = [float("nan")] * n_depths if target is None else shaped(target, "target", "depth").tolist()
    if not len(names) == len(values) == n_depths:
        raise ValueError(f"top_probs has {n_depths} depths: give one name and one target number for each")
    run = ArrayRun(token_rows(tokens, 1, length), name=name, unit=unit, depths=names, numbers={})
    ids = torch.tensor([[[run.token_id(text) for text in one] for one in line] for line in guesses])
    shares, blank = torch.from_numpy(given), torch.full((n_depths, length), torch.nan)
    curve, unranked = torch.tensor([values]), torch.full((1, n_depths), -1)

    def cells(_row: int, start: int, stop: int, _k: int = 0, **_: Any) -> LensCells:
        return LensCells(ids[:, start:stop], shares[:, start:stop], blank[:, start:stop])

    run.numbers = {
        "lens_cells": cells,
        "lens_target": lambda: LensTarget(curve, unranked, []),
        "logit_lens": lambda _k=0: LensReadout(ids[None], shares[None], blank[None], curve, unranked, []),
    }
    return run
