"""A run's activations, read by hook point; a live run is repeated at each reading, with its edits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.models.edit_hooks import Hook, Note, edit_hooks
from residscope.models.edits import NO_EDITS, PlacedEdits
from residscope.models.placement import home_of
from residscope.models.size import saying_what_to_turn_down

Step = Callable[[int, int], None]
"""Called before each layer with (layers done, layers in all); may raise to stop the run."""

Look = Callable[..., None]
"""Called with the activation of a hook point, [row pos ...] padded on the right."""

Taken = TypeVar("Taken")


class Watch(NamedTuple):
    """A look at a hook point: at the activation that the model continues with or, `before` an edit, at the original."""

    point: str
    look: Look
    before: bool = False


@runtime_checkable
class Activations(Protocol):
    """A run whose activations can be read."""

    @property
    def edits(self) -> PlacedEdits:
        """Return the edits that the run was made with."""

    def look(self, model: TransformerBridge, watches: Sequence[Watch], layers: Sequence[int]) -> None:
        """Show each look the activation of its hook point, in the model's order; the points are of these layers."""


@dataclass(frozen=True)
class LiveRun:
    """A run that is repeated at each look."""

    tokens: Int[Tensor, "row pos"]
    edits: PlacedEdits = NO_EDITS

    def look(self, model: TransformerBridge, watches: Sequence[Watch], layers: Sequence[int]) -> None:
        """Run the model up to the last of these layers."""
        home = home_of(model)

        def gathered(watch: Watch) -> Watch:
            return watch._replace(look=lambda value, **_: watch.look(value.to(home)))

        hooks = in_order(model, list(map(gathered, watches)), self.edits)
        with saying_what_to_turn_down(self.tokens), torch.no_grad():
            model.run_with_hooks(self.tokens, return_type=None, stop_at_layer=max(layers) + 1, fwd_hooks=hooks)


def in_order(
    model: TransformerBridge,
    watches: Sequence[Watch],
    edits: PlacedEdits,
    note: Note = lambda *_: None,
) -> list[Hook]:
    """Return the hooks of one forward: at each point the looks before an edit, the edit, then the other looks.

    `note` is called with (layer, kind, before, after) of each edit of the stream.
    """
    before: list[Hook] = [(watch.point, watch.look) for watch in watches if watch.before]
    after: list[Hook] = [(watch.point, watch.look) for watch in watches if not watch.before]
    return [*before, *edit_hooks(model, edits, note), *after]


def over_patterns(
    model: TransformerBridge, run: Activations, layers: Sequence[int], take: Callable[[Tensor], Taken]
) -> dict[int, Taken]:
    """Take something from the [row head query key] pattern of each of these layers."""
    taken: dict[int, Taken] = {}

    def watch(layer: int) -> Watch:
        return Watch(f"blocks.{layer}.attn.hook_pattern", lambda value, **_: taken.update({layer: take(value)}))

    run.look(model, [watch(layer) for layer in layers], layers)
    return taken


def whole(value: Tensor) -> Tensor:
    """Keep an activation as it is."""
    return value


def pad_right(
    rows: Sequence[Sequence[int]], device: torch.device
) -> tuple[Int[Tensor, "row pos"], Bool[Tensor, "row pos"]]:
    """Stack token rows of different lengths, each padded on the right with its last token, with the mask of real ones.

    No real position sees the padding, but a weight of zero times one that is not finite is not zero either: only what
    is shown anyway is run. A tokenizer's own padding token may be outside the model's vocabulary.
    """
    width = max(len(row) for row in rows)
    tokens = torch.tensor([row[-1] for row in rows])[:, None].repeat(1, width)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = True
    return tokens.to(device), mask.to(device)
