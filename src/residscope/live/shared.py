"""The two models that views share by reference: the selection and the experiment's status."""

import difflib
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import traitlets

from residscope.errors import InputError, brief, whole_number
from residscope.live.widget import Widget


@dataclass(frozen=True)
class Extent:
    """How far a run reaches, which is what a selection can name in it; arrays may have no depths or tokens.

    Attributes:
        components: the names that can be pinned besides those of heads.
    """

    lengths: tuple[int, ...]
    n_depths: int
    n_layers: int
    n_heads: int
    components: tuple[str, ...] = ()

    def holds(self, name: str, value: Any) -> bool:
        """Tell whether a selected value, or one pinned component, exists in the run."""
        if value is None or name == "show":
            return True
        if name == "pinned":
            head = _pair(value)
            return value in self.components or (head is not None and self.holds("head", head))
        if name == "head":
            layer, head = value
            return bool(layer < self.n_layers and head < self.n_heads)
        return bool(value < self.size(name))

    def size(self, name: str) -> int:
        """Return how many rows, depths or positions there are."""
        if name == "row":
            return len(self.lengths)
        return self.n_depths if name == "depth" else max(self.lengths)

    def range_of(self, name: str) -> str:
        """Say which heads, rows, depths or positions exist."""
        if name == "head":
            return f"layers go from 0 to {self.n_layers - 1}, heads from 0 to {self.n_heads - 1}"
        size = self.size(name)
        return f"{_PLURALS[name]} go from 0 to {size - 1}" if size else f"there are no {_PLURALS[name]}"

    def pins(self) -> list[str]:
        """Return all names that can be pinned."""
        heads = [f"L{layer}H{head}" for layer in range(self.n_layers) for head in range(self.n_heads)]
        return [*self.components, *heads]


_PLURALS = {"row": "rows", "depth": "depths", "position": "positions", "key": "positions"}


class Owner(Protocol):
    """Something whose runs a selection points into."""

    @property
    def expected(self) -> Extent | None:
        """Return how far the run of the newest inputs reaches, finished or not; None if no run comes."""


class Head(traitlets.TraitType[Any, Any]):
    """A (layer, head) pair, also written "2.5" or "L2H5"; None for no head."""

    info_text = 'a head: (2, 5), "2.5", "L2H5" or None'
    allow_none = True
    default_value = None

    def validate(self, obj: Any, value: Any) -> tuple[int, int] | None:
        """Return the pair."""
        pair = _pair(value)
        if pair is None:
            self.error(obj, value)
        return pair


class Index(traitlets.Int[Any, Any]):
    """A whole number from 0, or None; unlike traitlets.Int it refuses True and 3.0."""

    info_text = "a whole number from 0, or None"

    def validate(self, obj: Any, value: Any) -> int:
        """Return the number."""
        number = _index(value)
        if number is None:
            self.error(obj, value)
        return number


class Component(traitlets.TraitType[Any, Any]):
    """A component's name; a head can be written in any of its forms."""

    info_text = 'the name of a component: "L2.attn", "L2H5", or a head as "2.5" or (2, 5)'
    default_value = ""

    def validate(self, obj: Any, value: Any) -> str:
        """Return the name."""
        pair = _pair(value)
        if pair is not None:
            return f"L{pair[0]}H{pair[1]}"
        if not isinstance(value, str):
            self.error(obj, value)
        return str(value)


def _index(value: Any) -> int | None:
    number = whole_number(value)
    return number if number is not None and 0 <= number < 2**31 else None


def _pair(value: Any) -> tuple[int, int] | None:
    """Read a head, or return None."""
    if isinstance(value, str):
        layer, _, head = value.strip().upper().removeprefix("L").replace("H", ".").partition(".")
        digits = layer.isdecimal() and head.isdecimal() and len(layer + head) < 12
        value = (int(layer), int(head)) if digits else None
    if not isinstance(value, tuple | list) or len(value) != 2:
        return None
    first, second = map(_index, value)
    return None if first is None or second is None else (first, second)


class Selection(Widget):
    """What is selected in every view that shares this object.

    To change several traits in one gesture, use `update`, so that no view sees half of it.
    """

    row = Index(None, allow_none=True).tag(sync=True)
    """The selected prompt; None is the mean over prompts where a mean makes sense, else the first prompt."""
    depth = Index(0).tag(sync=True)
    """The selected depth, an index into `trace.depths`."""
    head = Head().tag(sync=True)
    """The selected head, (layer, head), or None."""
    position = Index(None, allow_none=True).tag(sync=True)
    """The selected position, counted from 0 in the row's own tokens; None is where the target is read."""
    key = Index(None, allow_none=True).tag(sync=True)
    """The position of the selected source token, or None."""
    pinned = traitlets.List(Component(), maxlen=256).tag(sync=True)
    """The names of pinned components, such as "L2H5"; a head can be written in any of its forms."""

    show = traitlets.Enum(("now", "before", "change"), "now").tag(sync=True)
    """Which numbers are shown: "now", "before" (the untouched run's), or the "change" between them."""

    _from_browser = frozenset({"row", "depth", "head", "position", "key", "pinned", "show"})

    def __init__(self, **traits: Any) -> None:
        self._owners: weakref.WeakSet[Owner] = weakref.WeakSet()
        self._extents: weakref.WeakKeyDictionary[Owner, Extent] = weakref.WeakKeyDictionary()
        self._depth_is_asked = "depth" in traits
        super().__init__(**traits)

    def __repr__(self) -> str:
        state = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("row", "depth", "head", "position", "key"))
        return f"Selection({state}, pinned={list(self.pinned)!r})"

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """Show it as text, because a model without a view would leave the cell's output empty."""
        return {"text/plain": repr(self)}, {}

    @property
    def values(self) -> dict[str, Any]:
        """Return what is selected, by name."""
        return {name: getattr(self, name) for name in sorted(self._from_browser)}

    def update(self, **changes: Any) -> None:
        """Change several selected values at once, in one message.

        Raises:
            TypeError: for a name that the selection does not have.
            traitlets.TraitError: for a value of the wrong kind; then nothing changes.
            InputError: for a value that no run shown has; then nothing changes.
        """
        unknown = changes.keys() - self._from_browser
        if unknown:
            raise TypeError(f"a selection has no {', '.join(unknown)}; it has {', '.join(sorted(self._from_browser))}")
        traits = self.traits()
        with self.hold_sync():
            values = {name: traits[name]._validate(self, value) for name, value in changes.items()}
            self._depth_is_asked |= "depth" in changes
            for name, value in values.items():
                setattr(self, name, value)

    def copy_from(self, other: "Selection") -> None:
        """Copy another selection, as far as its values exist here."""
        values = other.values
        pinned = values.pop("pinned")
        with self.hold_sync():
            here = {name: value for name, value in values.items() if self._exists(name, value)}
            self.update(**here, pinned=[name for name in pinned if self._exists("pinned", name)])

    def _gone(self, owner: Owner, extent: Extent) -> dict[str, Any]:
        first = owner not in self._extents
        was_last = {e.n_depths - 1 for e in self._extents.values() if e.n_depths}
        self._extents[owner] = extent
        extents = list(self._extents.values())
        gone: dict[str, Any] = {
            name: None for name in ("row", "head", "position", "key") if not self._exists(name, getattr(self, name))
        }
        pinned = [name for name in self.pinned if self._exists("pinned", name)]
        if pinned != self.pinned:
            gone["pinned"] = pinned
        is_new = first and len(extents) == 1 and self.depth == 0 and not self._depth_is_asked
        follows_output = is_new or self.depth in was_last
        # Arrays may have no depths at all, and then say nothing about the slider.
        if extent.n_depths and (follows_output or not any(e.holds("depth", self.depth) for e in extents)):
            gone["depth"] = extent.n_depths - 1
        return gone

    @traitlets.validate("row", "depth", "head", "position", "key", "pinned")
    def _in_a_run(self, proposal: Any) -> Any:
        """Refuse a value that no attached run has."""
        name, value = proposal["trait"].name, proposal["value"]
        for one in value if name == "pinned" else [value]:
            if not self._exists(name, one):
                raise InputError(name, self._refusal(name, one))
        return value

    def _exists(self, name: str, value: Any) -> bool:
        """Tell whether an attached run has a value, or whether none can say."""
        reach = self._reach(name)
        return not reach or any(extent.holds(name, value) for extent in reach)

    def _reach(self, name: str) -> list[Extent]:
        """Return how far the attached runs reach, finished or not, if they can say."""
        with self._lock:
            extents = [*self._extents.values(), *(owner.expected for owner in self._owners)]
        return [extent for extent in extents if extent and (name != "depth" or extent.n_depths)]

    def _refusal(self, name: str, value: Any) -> str:
        reach = self._reach(name)
        if name == "pinned":
            names = [pin for extent in reach for pin in extent.pins()]
            nearest = difflib.get_close_matches(value, dict.fromkeys(names), cutoff=0)
            return f"no run shown has the component {brief(value)}; similar names are {', '.join(nearest)}"
        what = f"L{value[0]}H{value[1]}" if name == "head" else f"{name} {value}"
        return f"no run shown has {what}: {', or '.join(dict.fromkeys(extent.range_of(name) for extent in reach))}"


def attach_owner(selection: Selection, owner: Owner) -> None:
    """Let an owner say what can be selected before its first run has finished."""
    with selection._lock:
        selection._owners.add(owner)


def settle(selection: Selection, owner: Owner, extent: Extent) -> None:
    """Note an owner's newest run, and drop what no attached run has any more."""
    attach_owner(selection, owner)
    # Otherwise a selection made meanwhile on another thread would be lost.
    with selection.hold_sync():
        selection.update(**selection._gone(owner, extent))


class Status(Widget):
    """An experiment's status, shared by all its views: the run's tokens and facts, progress, the error line."""

    run = traitlets.Int(0).tag(sync=True)
    """The number of the newest finished run; 0 before the first."""
    _header = traitlets.Dict().tag(sync=True)
    _jobs: Any = traitlets.List().tag(sync=True)
    """The jobs being computed, oldest first, and the failed ones of the newest run, each with the view that asked."""
    _error: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    _history = traitlets.Dict({"at": 0, "of": 0}).tag(sync=True)
    _cancel = traitlets.Int(0).tag(sync=True)
    """The id of the job to stop."""
    _go: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)

    _intervene: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    """Parts to switch off, or on again: {"id", "do": "switch" or "ablate" or "reset", "parts", "kind", "dose"}."""

    _from_browser = frozenset({"_cancel", "_go", "_intervene"})


def shared_state(widget: Widget, names: Iterable[str]) -> dict[str, Any]:
    """Return traits of a shared model as plain data, for hosts that cannot share it."""
    state = widget.get_state(list(names))
    return {name: value for name, value in state.items() if name in names}


def set_shared_state(widget: Widget, asked: Any) -> None:
    """Set traits of a shared model as such a host asks, as far as the browser may set them."""
    if isinstance(asked, dict):
        widget.set_state({name: value for name, value in asked.items() if name in widget._from_browser})
