"""An intervention in a run: `factor * part + plus` on one part, checked and placed on rows and positions."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.errors import InputError, brief, count, whole_number
from residscope.models.placement import home_of
from residscope.models.weights import has_heads

Stop = Literal["resid_pre", "resid_mid", "resid_post"]
Kind = Literal["head", "z", "attn", "mlp", "resid_pre", "resid_mid", "resid_post"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STOPS: tuple[Stop, ...] = get_args(Stop)

_OF_HEADS = ("head", "z")

Positions = Sequence[int] | Sequence[Sequence[int]]
"""Positions in each row's own tokens, negative from its end: one list for all rows, or one for each."""


@dataclass(frozen=True)
class Site:
    """One part of a model, and where in its rows it is edited.

    Attributes:
        kind: `head` (what a head writes: z minus what z holds whatever the head attends to), `z` (all of a head's
            z), `attn` (the sum of the layer's heads as it enters the residual stream; what the layer's attention adds
            besides stays), `mlp` (all that branch adds), or the residual stream: `resid_pre`, `resid_mid`,
            `resid_post`.
        layer: counted from 0.
        head: of `head` and `z`, counted from 0.
        positions: None is every token of each row.
    """

    kind: str
    layer: int
    head: int | None = None
    positions: Positions | None = None

    def __str__(self) -> str:
        if self.head is None:
            return f"L{self.layer}.{self.kind}"
        return f"L{self.layer}H{self.head}{'.z' if self.kind == 'z' else ''}"


@dataclass(frozen=True, eq=False)
class Edit:
    """An intervention: the part becomes `factor * part + plus`.

    Zero ablation is (0, None), mean ablation, resampling and patching are (0, v), scaling is (a, None), steering
    (1, v).

    Attributes:
        site: what is edited, and where.
        factor: what the part is multiplied by.
        plus: what is then added, in the part's unit: `[d]` for all positions, or `[row pos d]`, read at the edited
            ones; d is d_head for `head` and `z`, else d_model.
    """

    site: Site
    factor: int | float = 1
    plus: Float[Tensor, "*place d"] | None = None

    @property
    def is_steering(self) -> bool:
        """Tell whether the part is kept and something is added."""
        return self.factor == 1 and self.plus is not None

    def dosed(self, dose: int | float) -> "Edit":
        """Return a weaker edit: at 1 the part is unchanged, at 0 the edit is complete, and between they mix."""
        plus = None if self.plus is None else (1 - dose) * self.plus
        return replace(self, factor=dose + (1 - dose) * self.factor, plus=plus)


class Slot(NamedTuple):
    """A part that can be edited once at each position; `head` and `z` share a slot."""

    kind: Kind
    layer: int
    head: int | None


@dataclass(frozen=True)
class PlacedEdit:
    """All edits of one part, on the rows of one run.

    Attributes:
        where: the edited positions; elsewhere `factor` is 1 and `plus` 0.
    """

    slot: Slot
    where: Bool[Tensor, "row pos"]
    factor: Float[Tensor, "row pos 1"]
    plus: Float[Tensor, "row pos d"]

    @property
    def adds(self) -> Bool[Tensor, "row pos"]:
        """Tell where something is added."""
        return (self.plus != 0).any(-1)

    @property
    def changes(self) -> Bool[Tensor, "row pos"]:
        """Tell where the part changes."""
        return (self.factor[..., 0] != 1) | self.adds

    def applied(self, value: Float[Tensor, "row pos d"], rest: Float[Tensor, "row pos d"] | None) -> Tensor:
        """Return an activation after the edit of its part; `rest` is what it holds besides the part.

        Where nothing is edited it equals the activation, bit for bit.
        """
        wide = torch.promote_types(value.dtype, torch.float32)
        where, factor, plus = (one.to(value.device) for one in (self.where, self.factor, self.plus))
        edited = factor.to(wide) * value.to(wide) + plus.to(wide)
        if rest is not None:
            edited = edited + (1 - factor.to(wide)) * rest.to(wide)
        return torch.where(where[..., None], edited.to(value.dtype), value)

    def of_rows(self, rows: slice) -> "PlacedEdit":
        """Return the edits of some rows."""
        return replace(self, where=self.where[rows], factor=self.factor[rows], plus=self.plus[rows])


@dataclass(frozen=True)
class PlacedEdits:
    """All edits of a run, one per part."""

    edits: tuple[PlacedEdit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.edits)

    def __iter__(self) -> Iterator[PlacedEdit]:
        return iter(self.edits)

    def find(self, kind: Kind, layer: int) -> list[PlacedEdit]:
        """Return the edits of one kind in one layer."""
        return [edit for edit in self.edits if edit.slot[:2] == (kind, layer)]

    def of_rows(self, rows: slice) -> "PlacedEdits":
        """Return the edits of some rows."""
        return PlacedEdits(tuple(edit.of_rows(rows) for edit in self.edits))


NO_EDITS = PlacedEdits()


def place(edits: Sequence[Edit], model: TransformerBridge, lengths: Sequence[int]) -> PlacedEdits:
    """Check edits and place them on the rows of a run.

    At each position a part has one edit: the newest replaces, and steering adds to steering.

    Args:
        edits: the oldest first.
        model: which is to run.
        lengths: how many tokens each row has.

    Raises:
        InputError: for a part or positions that the model or a row does not have, and for values that do not fit.
    """
    placed: dict[Slot, PlacedEdit] = {}
    for edit in edits:
        slot = checked_slot(edit.site, model)
        if slot.kind == "head" and edit.is_steering:
            # What is added to a head's part is added to its z.
            slot = slot._replace(kind="z")
        new = _placed(slot, edit, model, lengths)
        for other in placed:
            if slot.head is not None and other[1:] == slot[1:] and other != slot:
                placed[other] = _without(placed[other], new.where)
        placed[slot] = new if slot not in placed else _over(placed[slot], new, edit.is_steering)
    effective = (replace(one, where=one.changes) for one in placed.values())
    return PlacedEdits(tuple(one for one in effective if one.where.any()))


def checked_slot(site: Site, model: TransformerBridge) -> Slot:
    """Return what a site is of in this model.

    Raises:
        InputError: for a part that the model does not have.
    """
    n_layers, n_heads = int(model.cfg.n_layers), int(model.cfg.n_heads)
    kind = next((known for known in KINDS if known == site.kind), None)
    if kind is None:
        raise _refused(f"there is no part {brief(site.kind)} to edit: the parts are {', '.join(KINDS)}")
    layer, head = whole_number(site.layer), whole_number(site.head)
    if layer is None or not 0 <= layer < n_layers:
        raise _refused(f"there is no layer {brief(site.layer)}: this model has layers 0 to {n_layers - 1}")
    if kind in _OF_HEADS and (head is None or not 0 <= head < n_heads):
        raise _refused(f"there is no head {brief(site.head)}: this model has heads 0 to {n_heads - 1}")
    if kind not in _OF_HEADS and site.head is not None:
        raise _refused(f"{kind} belongs to a whole layer: give head=None, or edit the kind 'head'")
    if kind in ("attn", *_OF_HEADS) and not has_heads(model, layer):
        raise _refused(f"layer {layer} has no attention heads: edit its mlp, resid_pre, resid_mid or resid_post")
    if kind == "resid_mid" and f"blocks.{layer}.hook_resid_mid" not in model.hook_dict:
        raise _refused(
            f"layer {layer} runs attention and MLP in parallel, so it has no resid_mid: edit resid_pre or resid_post"
        )
    return Slot(kind, layer, head)


def checked_positions(site: Site, lengths: Sequence[int]) -> list[list[int]]:
    """Return the positions of each row that a site is edited at, counted from 0.

    Raises:
        InputError: for positions that a row does not have.
    """
    given: Any = site.positions
    if given is None:
        return [list(range(length)) for length in lengths]
    listed = given.tolist() if hasattr(given, "tolist") else list(given)
    rows = [one.tolist() if hasattr(one, "tolist") else one for one in listed]
    if not any(isinstance(one, Sequence) and not isinstance(one, str) for one in rows):
        rows = [rows] * len(lengths)
    if len(rows) != len(lengths) or not all(isinstance(one, Sequence) and not isinstance(one, str) for one in rows):
        raise _refused(
            f"the positions of {site} are {brief(given)}: give one list for all rows, or one for each of the "
            f"{count(len(lengths), 'row')}"
        )
    return [_of_row(site, row, one, length) for row, (one, length) in enumerate(zip(rows, lengths, strict=True))]


def _of_row(site: Site, row: int, given: Sequence[Any], length: int) -> list[int]:
    found = []
    for one in given:
        position = whole_number(one)
        if position is None or not -length <= position < length:
            raise _refused(
                f"row {row} has no position {brief(one)} to edit {site} at: it has positions 0 to {length - 1}, and "
                f"{-length} to -1 from its end"
            )
        found.append(position % length)
    return found


def _placed(slot: Slot, edit: Edit, model: TransformerBridge, lengths: Sequence[int]) -> PlacedEdit:
    device, width = home_of(model), max(lengths)
    where = torch.zeros((len(lengths), width), dtype=torch.bool)
    for row, positions in enumerate(checked_positions(edit.site, lengths)):
        where[row, positions] = True
    factor = edit.factor
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not math.isfinite(factor):
        raise _refused(f"{edit.site} cannot be multiplied by {brief(factor)}: give a finite number")
    d = int(model.cfg.d_head if slot.kind in _OF_HEADS else model.cfg.d_model)
    plus = _checked_plus(edit, [(d,), (len(lengths), width, d)])
    own = torch.where(where, float(factor), 1.0)[..., None]
    added = torch.zeros((*where.shape, d), dtype=torch.float32 if plus is None else plus.dtype)
    if plus is not None:
        added = torch.where(where[..., None], plus.cpu(), added)
    return PlacedEdit(slot, where.to(device), own.to(device), added.to(device))


def _checked_plus(edit: Edit, shapes: list[tuple[int, ...]]) -> Tensor | None:
    plus = edit.plus
    if plus is None:
        return None
    if not isinstance(plus, Tensor) or tuple(plus.shape) not in shapes:
        is_tensor = isinstance(plus, Tensor)
        raise _refused(
            f"{f'a tensor of shape {list(plus.shape)}' if is_tensor else brief(plus)} cannot be added to {edit.site}: "
            f"give a tensor of shape {' or '.join(str(list(shape)) for shape in shapes)}"
        )
    if not plus.isfinite().all():
        raise _refused(f"the tensor to add to {edit.site} has NaN or infinity: give finite numbers")
    return plus.detach().to(torch.promote_types(plus.dtype, torch.float32))


def _over(old: PlacedEdit, new: PlacedEdit, is_steering: bool) -> PlacedEdit:
    where = new.where[..., None]
    steered = where & (old.factor == 1) if is_steering else torch.zeros_like(where)
    plus = torch.where(where, new.plus + torch.where(steered, old.plus, 0), old.plus)
    return PlacedEdit(new.slot, old.where | new.where, torch.where(where, new.factor, old.factor), plus)


def _without(old: PlacedEdit, where: Bool[Tensor, "row pos"]) -> PlacedEdit:
    gone = where[..., None]
    return replace(
        old,
        where=old.where & ~where,
        factor=torch.where(gone, 1.0, old.factor),
        plus=torch.where(gone, 0.0, old.plus),
    )


def _refused(sentence: str) -> InputError:
    return InputError("interventions", sentence)
