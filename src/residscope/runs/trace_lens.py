"""The logit lens of one run: what the model would say if it stopped at each depth."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from residscope.errors import count
from residscope.models.activations import Step
from residscope.models.twin import one_look
from residscope.runs.lens import LensCells, LensReadout, LensTarget, read_cells, read_curve, read_target
from residscope.runs.trace_base import TraceBase


class TraceLens(TraceBase):
    """A run, read through the logit lens."""

    def logit_lens(self, k: int = 10, *, step: Step = lambda _done, _of: None) -> LensReadout:
        """Read the residual stream at each depth through the model's own final norm and unembedding.

        This is the logit lens (nostalgebraist 2020). The last depth must equal the model's output, and that is checked.
        Early depths need not use the same basis as the unembedding.

        Args:
            k: how many of the most likely tokens to keep.
            step: called with (vectors done, vectors in all); may raise to stop.

        Raises:
            ValueError: when k is not between 1 and the size of the vocabulary.
            StaleWeightsError: when the weights have changed since this run.
        """
        with one_look():
            cells = [self.lens_cells(row, 0, length, k, step=step) for row, length in enumerate(self.lengths)]
            target = self.lens_target()

        def padded(name: str, blank: float) -> Tensor:
            parts = [getattr(part, name).transpose(0, 1) for part in cells]
            return pad_sequence(parts, batch_first=True, padding_value=blank).transpose(1, 2)

        return LensReadout(
            padded("top_ids", -1),
            padded("top_probs", torch.nan),
            padded("entropy", torch.nan),
            target.value,
            target.rank,
            target.checks,
        )

    def lens_cells(
        self, row: int, start: int, stop: int, k: int = 10, *, step: Step = lambda _done, _of: None
    ) -> LensCells:
        """Read the lens at some positions of one row, at all depths.

        Args:
            row: the prompt.
            start: the first position.
            stop: one more than the last.
            k: how many of the most likely tokens to keep.
            step: called with (vectors done, vectors in all); may raise to stop.

        Raises:
            IndexError: for a row or positions that this run does not have.
            ValueError: when k is not between 1 and the size of the vocabulary.
            StaleWeightsError: when the weights have changed since this run.
        """
        row, k = self._checked_cell(row, k)
        if not 0 <= start < stop <= self.lengths[row]:
            has = count(self.lengths[row], "token")
            raise IndexError(f"there are no positions {start} to {stop}: this prompt has {has}")
        resid = self._recording.resid[:, row, start:stop]
        return self._memory.of(
            ("cells", row, start, stop, k), lambda twin: read_cells(twin, resid, self._d_vocab, k, step)
        )

    def lens_target(self) -> LensTarget:
        """Read the target through the lens at each depth, where it is read, with a check of the last depth.

        Raises:
            StaleWeightsError: when the weights have changed since this run.
        """
        return self._memory.of(
            ("lens target",), lambda twin: read_target(twin, self._recording.resid, self.target, self.logits)
        )

    def target_curve(self, *, step: Step = lambda _done, _of: None) -> Float[Tensor, "row depth pos"]:
        """Read the target through the lens at each depth and position, as if it were read there; NaN at padding.

        For logits only the answers' own are computed, so that a long prompt costs little; for a log-probability the
        whole vocabulary's are needed.

        Args:
            step: called with (depths done, depths of all rows); may raise to stop.

        Raises:
            ValueError: when the target does not have one term per row.
            StaleWeightsError: when the weights have changed since this run.
        """
        self._check_one_a_row()
        return self._memory.of(
            ("curve",),
            lambda twin: read_curve(twin, self._recording.resid, self.target, self.mask, self._d_vocab, step),
        )
