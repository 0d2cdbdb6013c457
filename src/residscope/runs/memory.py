"""What has been computed of one run, remembered by name; nothing is computed on weights that have changed since."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

from residscope.models import TransformerBridge
from residscope.models.twin import Twin

KEPT_BYTES = 256 * 2**20
"""How much of what may be forgotten is kept, the newest; and that whatever its size."""

Value = TypeVar("Value")


class StaleWeightsError(RuntimeError):
    """The model's weights have changed since the run that a number was asked of."""

    def __init__(self) -> None:
        super().__init__("the weights have changed since this run: recompute (exp.update() runs the inputs again)")


class Memory:
    """Computes once and remembers.

    Attributes:
        weights: the fingerprint of the weights that the run was made with.
    """

    def __init__(self, twin: Twin, weights: bytes) -> None:
        self.weights = weights
        self._twin = twin
        self._kept: dict[Any, Any] = {}
        self._passing: dict[Any, Tensor] = {}
        self._lock = threading.RLock()

    def of(self, key: Any, compute: Callable[[TransformerBridge], Value]) -> Value:
        """Return what is known by a name, computed at the first time.

        Raises:
            StaleWeightsError: when it must be computed and the weights have changed since the run.
        """
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._computed(compute)
            value: Value = self._kept[key]
            return value

    def of_passing(self, key: Any, compute: Callable[[TransformerBridge], Tensor]) -> Tensor:
        """Return the same of something large: only the newest such things are kept.

        Raises:
            StaleWeightsError: when it must be computed and the weights have changed since the run.
        """
        with self._lock:
            # The newest stands last.
            value = self._passing.pop(key) if key in self._passing else self._computed(compute)
            self._passing[key] = value
            kept = 0
            for other in reversed(list(self._passing)):
                kept += self._passing[other].nbytes
                if kept > KEPT_BYTES and other != key:
                    del self._passing[other]
            return value

    def _computed(self, compute: Callable[[TransformerBridge], Value]) -> Value:
        with self._twin.use() as twin:
            if self._twin.fingerprint(twin) != self.weights:
                raise StaleWeightsError
            return compute(twin)
