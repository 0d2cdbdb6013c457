"""Interventions as a user writes them: parts ablated or scaled, and vectors added to the residual stream."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.errors import InputError, brief, count, whole_number
from residscope.inputs.prompts import Prompts, plain
from residscope.models import TransformerBridge
from residscope.models.edits import Positions, Site, checked_positions, checked_slot

AblationKind = Literal["mean", "zero", "resample"]
At = Literal["pre", "mid", "post"]
Rows = tuple[tuple[int, ...], ...]
"""Token ids, one tuple per row."""

FEW_TOKENS = 8
"""A mean over fewer tokens than this gets a warning."""

NOT_OF_A_CACHE = (
    "these activations come from a cache and differ from what this model computes, so interventions are not possible: "
    "give prompts, which the model runs itself"
)

_NAME = re.compile(r"L(\d+)(?:H(\d+)|\.(attn|mlp|resid_pre|resid_mid|resid_post))?")
_SHORT_HEAD = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class _OfParts:
    what: Any

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, part_names(value) if field.name == "what" else plain(value))
        self._check()

    def _check(self) -> None:
        """Refuse what no model can do."""


@dataclass(frozen=True, repr=False)
class Ablation(_OfParts):
    """An ablation of parts of the model.

    Attributes:
        what: a head ("L3H0", "3.0" or (3, 0)), "L3.attn" (the sum of a layer's heads), "L3.mlp", "L3" (both), the
            residual stream at one place ("L3.resid_post"), or a list of these.
        kind: what replaces the part. "mean": its mean over the reference prompts, at every position except each
            prompt's first, where activations are unlike all others. "zero": zeros. "resample": its value in the
            corrupted prompt or, without one, in another prompt.
        positions: counted in each row's own tokens, negative from its end: one list for all rows or one per row. None
            is all positions.
        reference: the prompts to take a mean over, counting each token except the first once; None is the experiment's
            own prompts.
        first: whether the mean also includes and replaces the first position.
        seed: decides which other prompt a row is resampled from.
        dose: 0 ablates the part, 1 leaves it unchanged, between them is a mix, 2 is twice as far from the ablation.
    """

    kind: AblationKind = "mean"
    positions: Positions | None = None
    reference: Prompts | None = None
    first: bool = False
    seed: int = 0
    dose: float = 0

    def __repr__(self) -> str:
        return _written(self)

    def _check(self) -> None:
        _check_number("dose", self.dose)
        if self.kind not in get_args(AblationKind):
            raise _refused(f'the kind of an ablation is "mean", "zero" or "resample", not {brief(self.kind)}')
        if self.reference is not None and self.kind != "mean":
            raise _refused(f'reference= is for kind="mean", and this is kind="{self.kind}": leave it out')


@dataclass(frozen=True, repr=False)
class Scaling(_OfParts):
    """Parts of the model multiplied by a number.

    Attributes:
        what: the parts, as for an `Ablation`.
        factor: the number; 1 changes nothing, 0 is zero ablation.
        positions: as for an `Ablation`.
    """

    factor: float
    positions: Positions | None = None

    def __repr__(self) -> str:
        return _written(self)

    def _check(self) -> None:
        _check_number("factor", self.factor)


@dataclass(frozen=True, repr=False, eq=False)
class Steering:
    """A vector added to the residual stream.

    Attributes:
        layer: counted from 0.
        vector: `[d_model]`, in the stream's unit; or two lists of prompts, for the difference of their means, first
            minus second, over all tokens except each prompt's first.
        factor: what to multiply the vector by before adding it.
        positions: as for an `Ablation`.
        at: where in the layer: "pre" (before the attention), "mid" (between attention and MLP) or "post" (after the
            MLP).
    """

    layer: int
    vector: Any
    factor: float = 1
    positions: Positions | None = None
    at: At = "post"

    def __post_init__(self) -> None:
        _check_number("factor", self.factor)
        if self.at not in get_args(At):
            raise _refused(f'a vector is added at "pre", "mid" or "post", not at {brief(self.at)}')
        given = self.vector
        is_prompts = isinstance(given, list | tuple) and len(given) == 2 and not isinstance(given[0], int | float)
        vector = tuple(map(plain, given)) if is_prompts else _vector(given)
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "positions", plain(self.positions))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Steering):
            return NotImplemented
        mine, its = self.vector, other.vector
        if isinstance(mine, Tensor) and isinstance(its, Tensor):
            same = torch.equal(mine, its)
        else:
            same = type(mine) is type(its) and bool(mine == its)
        rest = [field.name for field in fields(self) if field.name != "vector"]
        return same and all(getattr(self, name) == getattr(other, name) for name in rest)

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __repr__(self) -> str:
        return _written(self)

    @property
    def name(self) -> str:
        """Return the name of the place where it is added."""
        return f"L{self.layer}.resid_{self.at}"


Intervention = Ablation | Scaling | Steering


@dataclass(frozen=True)
class Asked:
    """An intervention, checked, with the tokens of the prompts that it reads.

    Attributes:
        intervention: as the user wrote it.
        references: the rows of each list of prompts that it names: none, one for a mean, or two for the difference
            that is a vector.
    """

    intervention: Intervention
    references: tuple[Rows, ...] = ()


def part_names(what: Any) -> tuple[str, ...]:
    """Return the names of the parts, each once: "L3H0", "L3.mlp", "L3", ...

    Raises:
        InputError: for anything that does not name a part.
    """
    given = what.tolist() if hasattr(what, "tolist") else what
    single = isinstance(given, str) or (isinstance(given, tuple) and _is_pair(given))
    listed = [given] if single else list(given) if isinstance(given, Iterable) else []
    if not listed:
        raise _refused(f"there is no part {brief(what)}: {_FORMS}")
    return tuple(dict.fromkeys(map(_name, listed)))


def sites_of(intervention: Intervention, positions: Positions | None) -> list[Site]:
    """Return what an intervention edits, at these positions."""
    if isinstance(intervention, Steering):
        return [Site(f"resid_{intervention.at}", intervention.layer, positions=positions)]
    sites = []
    for name in intervention.what:
        layer, head, kind = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]
        if head is not None:
            sites.append(Site("head", int(layer), int(head), positions))
        else:
            sites += [Site(one, int(layer), positions=positions) for one in ([kind] if kind else ["attn", "mlp"])]
    return sites


def added(before: Sequence[Intervention], new: Intervention) -> tuple[Intervention, ...]:
    """Return interventions with a newer one, which replaces older ones of the same parts and positions."""
    if isinstance(new, Steering):
        return (*before, new)
    kept: list[Intervention] = []
    for one in before:
        replaced = not isinstance(one, Steering) and one.positions == new.positions
        kept += _less(one, new.what) if replaced else [one]
    return (*kept, new)


def without(before: Sequence[Intervention], name: str) -> tuple[Intervention, ...]:
    """Return interventions without those of one part."""
    return tuple(left for one in before for left in _less(one, [name]))


def _less(one: Intervention, names: Sequence[str]) -> list[Intervention]:
    """Return what is left of an intervention without these parts: the very same one if it has none of them."""
    if isinstance(one, Steering):
        return [] if one.name in names else [one]
    left = tuple(name for name in one.what if name not in names)
    if left == one.what:
        return [one]
    return [replace(one, what=left)] if left else []


def checked(
    interventions: Any,
    model: TransformerBridge,
    lengths: Sequence[int],
    read: Callable[[Prompts], Rows],
    *,
    has_corrupted: bool,
) -> tuple[Asked, ...]:
    """Check interventions against the model and the rows they are for, and tokenise the prompts that they name.

    Args:
        interventions: the oldest first.
        model: the model that will run.
        lengths: how many tokens each row has.
        read: tokenises prompts.
        has_corrupted: whether each row has a corrupted prompt.

    Raises:
        InputError: for the first intervention that is not possible.
    """
    listed = list(interventions) if isinstance(interventions, list | tuple) else [interventions]
    asked = []
    for one in listed:
        if not isinstance(one, Intervention):
            raise _refused(
                f"{brief(one)} is not an intervention: give rs.Ablation(...), rs.Scaling(...) or rs.Steering(...)"
            )
        for site in sites_of(one, one.positions):
            checked_slot(site, model)
            checked_positions(site, lengths)
        asked.append(Asked(one, _references(one, model, lengths, read, has_corrupted=has_corrupted)))
    return tuple(asked)


def notes_on(asked: Sequence[Asked], lengths: Sequence[int]) -> list[str]:
    """Return warnings about interventions, one sentence each."""
    notes = []
    for one in asked:
        if isinstance(one.intervention, Ablation) and one.intervention.kind == "mean":
            rows = list(map(len, one.references[0])) if one.references else lengths
            counted = _counted(rows, first=one.intervention.first)
            if counted < FEW_TOKENS:
                notes.append(
                    f"The mean of {', '.join(one.intervention.what)} is over only {count(counted, 'token')}, so it is "
                    "much like the prompt itself: give more prompts as reference=."
                )
    return notes


def _references(
    one: Intervention,
    model: TransformerBridge,
    lengths: Sequence[int],
    read: Callable[[Prompts], Rows],
    *,
    has_corrupted: bool,
) -> tuple[Rows, ...]:
    if isinstance(one, Steering):
        if isinstance(one.vector, Tensor):
            _check_vector(one.vector, int(model.cfg.d_model))
            return ()
        both = tuple(map(read, one.vector))
        for rows in both:
            _check_counted(list(map(len, rows)), first=False)
        return both
    if isinstance(one, Scaling):
        return ()
    if one.kind == "resample" and not has_corrupted:
        for row, length in enumerate(lengths):
            if not donors(row, lengths):
                raise _refused(
                    f"there is nothing to resample row {row} from: give a corrupted prompt, or another prompt of "
                    f"{count(length, 'token')} or more"
                )
    if one.kind != "mean":
        return ()
    of_others = () if one.reference is None else (read(one.reference),)
    _check_counted(list(map(len, of_others[0])) if of_others else lengths, first=one.first)
    return of_others


def donors(row: int, lengths: Sequence[int]) -> list[int]:
    """Return the other rows that are long enough to resample a row from."""
    return [other for other, length in enumerate(lengths) if other != row and length >= lengths[row]]


def _counted(lengths: Sequence[int], *, first: bool) -> int:
    return sum(lengths) - (0 if first else len(lengths))


def _check_counted(lengths: Sequence[int], *, first: bool) -> None:
    if not _counted(lengths, first=first):
        raise _refused(
            "there is no token to take a mean over, since each prompt's first is left out: give prompts of two tokens "
            "or more as reference="
        )


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _refused(f"{name} is a finite number, not {brief(value)}")


def _check_vector(vector: Float[Tensor, "*any"], d_model: int) -> None:
    if tuple(vector.shape) != (d_model,):
        raise _refused(f"the vector has the shape {list(vector.shape)}: give [{d_model}], this model's d_model")
    if not vector.isfinite().all():
        raise _refused("the vector has NaN or infinity: give finite numbers")


def _vector(given: Any) -> Tensor:
    try:
        vector = given.detach().clone() if isinstance(given, Tensor) else torch.tensor(plain(given))
    except (TypeError, ValueError, RuntimeError):
        raise _refused(
            f"{brief(given)} is not a vector: give numbers [d_model], or two lists of prompts, for the difference "
            "of their means"
        ) from None
    return vector if vector.is_floating_point() else vector.float()


def _name(one: Any) -> str:
    if isinstance(one, list | tuple) and _is_pair(one):
        return f"L{whole_number(one[0])}H{whole_number(one[1])}"
    short = _SHORT_HEAD.fullmatch(one) if isinstance(one, str) else None
    if short:
        return f"L{int(short[1])}H{int(short[2])}"
    named = _NAME.fullmatch(one) if isinstance(one, str) else None
    if not named:
        raise _refused(f"there is no part {brief(one)}: {_FORMS}")
    layer, head, kind = named.groups()
    return f"L{int(layer)}" + (f"H{int(head)}" if head else f".{kind}" if kind else "")


def _is_pair(value: Sequence[Any]) -> bool:
    return len(value) == 2 and all((whole_number(one) or 0) >= 0 and whole_number(one) is not None for one in value)


def _written(one: Any) -> str:
    """Write an intervention as Python that makes it again, with only the size of a vector."""
    kind, *arguments = type(one).__name__, *_arguments(one)
    return f"rs.{kind}({', '.join(arguments)})"


def _arguments(one: Any) -> Iterable[str]:
    for at, field in enumerate(fields(one)):
        value = getattr(one, field.name)
        if field.name == "what":
            yield repr(value[0] if len(value) == 1 else list(value))
        elif isinstance(value, Tensor):
            yield f"vector[{len(value)}]" if value.ndim else "vector"
        elif at < 2 and not isinstance(one, Ablation):
            yield repr(value)
        elif value != field.default:
            yield f"{field.name}={value!r}"


_FORMS = 'name a head "L3H0" or (3, 0), "L3.attn", "L3.mlp", or "L3" for both'


def _refused(sentence: str) -> InputError:
    return InputError("interventions", sentence)
