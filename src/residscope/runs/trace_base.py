"""What every number of a run is computed from: its tokens, activations and target."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from residscope.errors import brief, whole_number
from residscope.inputs.reader import Inputs
from residscope.inputs.target import Target
from residscope.models.activations import Activations
from residscope.models.edits import Edit
from residscope.models.facts import ModelFacts
from residscope.models.recording import Recording
from residscope.models.windows import Window
from residscope.runs.memory import Memory


class TraceBase:
    """The state of a run; `Trace` makes it and documents its public part."""

    number: int
    inputs: Inputs
    edits: tuple[Edit, ...]
    facts: ModelFacts
    tokens: Int[Tensor, "row pos"]
    mask: Bool[Tensor, "row pos"]
    target: Target
    target_value: Float[Tensor, "group"]
    n_layers: int
    n_heads: int
    windows: tuple[Window | None, ...]
    _d_vocab: int
    _memory: Memory
    _run: Activations
    _recording: Recording

    @property
    def weights(self) -> bytes:
        """Return a fingerprint of the weights that the run was made with."""
        return self._memory.weights

    @property
    def lengths(self) -> tuple[int, ...]:
        """Return the number of real tokens of each row."""
        return tuple(len(row) for row in self.inputs.tokens)

    @property
    def str_tokens(self) -> list[list[str]]:
        """Return each row's tokens as text, one string per token."""
        return [[self.decode(token) for token in row] for row in self.inputs.tokens]

    @property
    def depths(self) -> list[str]:
        """Return the names of the depths that the lens reads: `embed`, `0.mid`, `0.post`, ..., `output`.

        TransformerLens calls them `resid_pre` of layer 0, its `resid_mid`, its `resid_post`, ..., and `resid_post` of
        the last layer.
        """
        names = [name for layer in range(self.n_layers) for name in (f"{layer}.mid", f"{layer}.post")]
        return ["embed", *names[:-1], "output"]

    @property
    def logits(self) -> Float[Tensor, "term d_vocab"]:
        """Return the model's own logits where the target is read."""
        return self._recording.logits

    @property
    def vocabulary_size(self) -> int:
        """Return the number of tokens in the vocabulary."""
        return self._d_vocab

    @property
    def special_ids(self) -> frozenset[int]:
        """Return the ids of the tokenizer's special tokens."""
        return self.inputs.vocabulary.special_ids

    def decode(self, token: int) -> str:
        """Return one token's text as it is within a text, with its leading space.

        A token that is part of a character gives U+FFFD, a token without text "<id 5012>".
        """
        return self.inputs.vocabulary.decode(token)

    def vocabulary_entry(self, token: int) -> str:
        """Return one token's entry in the vocabulary."""
        return self.inputs.vocabulary.entry(token)

    def _check_one_a_row(self) -> None:
        if not self.target.is_one_a_row:
            raise ValueError(
                "this target has several terms, so it has no value at each position: give a target of one term per row"
            )

    def _checked_cell(self, row: int, k: int) -> tuple[int, int]:
        of_row, most = whole_number(row), whole_number(k)
        if most is None or not 1 <= most <= self._d_vocab:
            raise ValueError(f"k is 1 to {self._d_vocab}, the size of the vocabulary, not {brief(k)}")
        if of_row is None or not 0 <= of_row < len(self.lengths):
            raise IndexError(f"there is no prompt {brief(row)}: this run has prompts 0 to {len(self.lengths) - 1}")
        return of_row, most


def memory_of(trace: TraceBase) -> Memory:
    """Return the memory that computes and remembers a run's numbers."""
    return trace._memory


def checked_head(n_layers: int, n_heads: int, layer: int, head: int | None) -> tuple[int, int | None]:
    """Return a layer and a head counted from 0, negative ones from the end.

    Raises:
        IndexError: for a layer or head outside the model.
    """
    known, own = whole_number(layer), whole_number(head)
    if known is None or not -n_layers <= known < n_layers:
        raise IndexError(f"there is no layer {brief(layer)}: this model has layers 0 to {n_layers - 1}")
    if head is not None and (own is None or not -n_heads <= own < n_heads):
        raise IndexError(f"there is no head {brief(head)}: this model has heads 0 to {n_heads - 1}")
    return known % n_layers, None if own is None else own % n_heads
