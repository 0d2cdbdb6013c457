"""What a lens shows, from a run or from given numbers: the most likely tokens, and the target over depths."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from residscope.given import Given, Run
from residscope.models.activations import Step
from residscope.quantity import Quantity, numbers_of
from residscope.runs.lens import LensCells, LensTarget
from residscope.views.from_arrays import shaped, small, token_rows

TOP_K = 10

PROBABILITY = "probability"

_CELL = ("depth", "pos", "k")


def listed(run: Run) -> int:
    """Return how many tokens each cell lists; for given numbers, as many as there are."""
    if isinstance(run, Given):
        return int(run.numbers(PROBABILITY, *_CELL).shape[-1])
    return min(TOP_K, run.vocabulary_size)


def read_cells(run: Run, row: int, start: int, stop: int, *, step: Step = lambda _done, _of: None) -> LensCells:
    """Return the cells at some positions of one row, at all depths.

    Args:
        run: the run.
        row: the prompt.
        start: the first position.
        stop: one more than the last.
        step: called with (vectors done, vectors in all); may raise to stop.
    """
    if not isinstance(run, Given):
        return run.lens_cells(row, start, stop, listed(run), step=step)
    ids = run.ids_of(run.labels_of(PROBABILITY, *_CELL)[row, :, start:stop])
    shares = run.numbers(PROBABILITY, *_CELL)[row, :, start:stop]
    return LensCells(torch.tensor(ids), torch.tensor(shares), torch.full(ids.shape[:2], torch.nan))


def likeliest(run: Run) -> Quantity:
    """Return the probabilities of the most likely tokens [row depth pos k], with their ids as labels."""
    if isinstance(run, Given):
        shares: Any = run.numbers(PROBABILITY, *_CELL)
        ids: Any = run.ids_of(run.labels_of(PROBABILITY, *_CELL))
    else:
        lens = run.logit_lens(listed(run))
        shares, ids = lens.top_probs, lens.top_ids
    return Quantity(
        PROBABILITY, shares, ("row", *_CELL), "", {"depth": run.depths}, scale="sequential", high=1.0, labels=ids
    )


def read_target(run: Run) -> LensTarget:
    """Return the target at each depth; given numbers have no ranks and no check."""
    if not isinstance(run, Given):
        return run.lens_target()
    shape = run.n_rows, len(run.depths)
    curve = np.full(shape, np.nan, np.float32) if run.find("depth") is None else run.numbers("target", "depth")
    return LensTarget(torch.tensor(curve), torch.full(shape, -1), [])


def given_lens(
    tokens: Sequence[str],
    top_tokens: Sequence[Sequence[Any]],
    top_probs: Any,
    *,
    depths: Sequence[str] | None,
    target: Any,
    name: str,
    unit: str,
) -> tuple[list[Quantity], list[list[str]]]:
    """Return the given numbers of a lens and its row's tokens, with the arguments of `LogitLens.from_arrays`.

    Raises:
        TypeError: for guesses that are not texts.
        ValueError: for shapes that do not fit together.
    """
    probabilities = numbers_of(top_probs, "top_probs")
    if probabilities.ndim == 2:
        probabilities = probabilities[..., None]
    probabilities = small(shaped(probabilities, "top_probs", "depth pos k"), "top_probs")
    guesses: list[list[list[Any]]] = [
        [[one] if isinstance(one, str | int) else list(one) for one in line] for line in top_tokens
    ]
    n_depths, length, k = probabilities.shape
    if not all(isinstance(text, str) for line in guesses for one in line for text in one):
        raise TypeError("top_tokens holds texts, in lists [depth pos k]: tokenizer.decode([id]) for each id")
    if len(guesses) != n_depths or any(len(line) != length or any(len(one) != k for one in line) for line in guesses):
        raise ValueError(f"top_tokens must have the shape of top_probs, [depth pos k] = {[*probabilities.shape]}")
    names = [str(depth) for depth in (range(n_depths) if depths is None else depths)]
    curve = None if target is None else shaped(target, "target", "depth")
    if len(names) != n_depths or (curve is not None and len(curve) != n_depths):
        raise ValueError(f"top_probs has {n_depths} depths: give one name and one target number for each")
    coords = {"depth": names}
    lens = Quantity(
        PROBABILITY,
        probabilities,
        _CELL,
        "",
        coords,
        scale="sequential",
        high=1.0,
        labels=np.array(guesses, dtype=object),
    )
    # The first one names what is shown.
    quantities = [lens] if curve is None else [Quantity(name, curve, "depth", unit, coords), lens]
    return quantities, token_rows(tokens, 1, length)
