"""Remembers by name what has been computed of one run, and computes nothing on weights that have changed since."""

import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from cachetools import LRUCache
from torch import Tensor

from residscope.models import TransformerBridge
from residscope.models.twin import Twin

KEPT_BYTES = 256 * 2**20
"""How much is remembered of one run; the least recently used is forgotten first, the newest never."""

Value = TypeVar("Value")


class StaleWeightsError(RuntimeError):
    """The model's weights have changed since the run, so a number cannot be computed any more."""

    def __init__(self) -> None:
        super().__init__("the weights have changed since this run: call exp.update() to run the inputs again")


class Memory:
    """Computes once and remembers, up to `KEPT_BYTES`.

    Attributes:
        weights: the fingerprint of the weights that the run was made with.
    """

    def __init__(self, twin: Twin, weights: bytes) -> None:
        self.weights = weights
        self._twin = twin
        self._kept: LRUCache[Any, Any] = LRUCache(KEPT_BYTES, size_of)
        # An entry larger than the whole budget stays until the next such entry.
        self._large: dict[Any, Any] = {}
        self._lock = threading.RLock()

    def of(self, key: Any, compute: Callable[[TransformerBridge], Value]) -> Value:
        """Return what is remembered under a name; compute it if nothing is.

        Raises:
            StaleWeightsError: when it must be computed and the weights have changed since the run.
        """
        with self._lock:
            for kept in (self._kept, self._large):
                if key in kept:
                    known: Value = kept[key]
                    return known
            value = self.use(compute)
            if size_of(value) <= self._kept.maxsize:
                self._kept[key] = value
            else:
                self._large = {key: value}
            return value

    def is_current(self) -> bool:
        """Tell whether the weights are those of the run."""
        with self._twin.use():
            return self._twin.weights == self.weights

    @property
    def keys(self) -> list[Any]:
        """Return the names of what is remembered."""
        return [*self._kept, *self._large]

    @property
    def nbytes(self) -> int:
        """Return how many bytes of tensors are remembered."""
        return sum(map(size_of, [*self._kept.values(), *self._large.values()]))

    def find(self, key: Any) -> Any:
        """Return what is remembered under a name, or None."""
        with self._lock:
            return next((kept[key] for kept in (self._kept, self._large) if key in kept), None)

    def use(self, compute: Callable[[TransformerBridge], Value]) -> Value:
        """Compute something that is not remembered.

        Raises:
            StaleWeightsError: when the weights have changed since the run.
        """
        with self._twin.use() as twin:
            if self._twin.weights != self.weights:
                raise StaleWeightsError
            return compute(twin)


def size_of(value: Any) -> int:
    """Return the bytes that the tensors in a value hold in memory, and some for each object."""
    if isinstance(value, Tensor):
        return value.untyped_storage().nbytes()
    if is_dataclass(value):
        return sum(size_of(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return sum(map(size_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size_of, value))
    return 64
