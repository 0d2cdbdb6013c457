"""Reads parts of an untouched run that an edit needs: at all positions, their mean, or other rows'."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.errors import InputError, count
from residscope.models.activations import Activations, Watch, whole
from residscope.models.edit_hooks import Rests, point_of
from residscope.models.edits import Site, Slot, checked_slot


def read_parts(
    model: TransformerBridge, run: Activations, sites: Sequence[Site], take: Callable[[Tensor], Tensor] = whole
) -> list[Tensor]:
    """Return what these parts are in a run, in one forward; their sites' positions do not count.

    Args:
        model: which runs.
        run: an untouched run.
        sites: of the parts.
        take: makes of a part `[row pos d]` what is kept.

    Raises:
        InputError: for a part that the model does not have.
    """
    slots = [checked_slot(site, model) for site in sites]
    rests, parts = Rests(model, slots), dict[Slot, Tensor]()

    def look(slot: Slot) -> Callable[..., None]:
        def see(value: Tensor, **_: object) -> None:
            rest = rests.of(slot, value)
            own = value if slot.head is None else value[:, :, slot.head]
            own = own.to(torch.promote_types(own.dtype, torch.float32))
            parts[slot] = take(own if rest is None else own - rest.to(own))

        return see

    needed = [Watch(str(point), hook) for point, hook in (*rests.hooks_of_heads, *rests.hooks_of_stream)]
    watches = [Watch(point_of(model, slot), look(slot)) for slot in dict.fromkeys(slots)]
    run.look(model, [*needed, *watches], [slot.layer for slot in slots])
    return [parts[slot] for slot in slots]


def mean_of(part: Float[Tensor, "row pos d"], lengths: Sequence[int], *, first: bool = False) -> Float[Tensor, "d"]:
    """Return a part's mean over all real tokens but each row's first, each token counting once.

    Args:
        part: at all positions, of the reference prompts.
        lengths: how many tokens each row has.
        first: whether the first tokens count too; their activations are unlike all others.

    Raises:
        InputError: when no token is left.
    """
    counted = torch.zeros(part.shape[:2], dtype=torch.bool, device=part.device)
    for row, length in enumerate(lengths):
        counted[row, (0 if first else 1) : length] = True
    if not counted.any():
        raise InputError(
            "interventions",
            "there is no token to take a mean over, since each prompt's first is left out: give prompts of two tokens "
            "or more",
        )
    return part[counted].mean(0)


def after_first(lengths: Sequence[int]) -> list[list[int]]:
    """Return each row's positions but its first, where a mean replaces a part."""
    return [list(range(1, length)) for length in lengths]


def of_rows(
    part: Float[Tensor, "source pos d"], rows: Sequence[int], lengths: Sequence[int], sources: Sequence[int]
) -> Float[Tensor, "row width d"]:
    """Return for each row what the part is in another, at the same positions.

    Args:
        part: at all positions, of the rows that are taken from.
        rows: which of them each row takes from.
        lengths: how many tokens each row has.
        sources: how many tokens each of the rows has that are taken from.

    Raises:
        InputError: when a row is longer than the one it takes from.
    """
    for row, (source, length) in enumerate(zip(rows, lengths, strict=True)):
        if sources[source] < length:
            raise InputError(
                "interventions",
                f"row {row} has {count(length, 'token')} and takes from row {source}, which has {sources[source]}: "
                "take from a row that is as long",
            )
    taken = part.new_zeros((len(rows), max(lengths), part.shape[-1]))
    for row, (source, length) in enumerate(zip(rows, lengths, strict=True)):
        taken[row, :length] = part[source, :length]
    return taken
