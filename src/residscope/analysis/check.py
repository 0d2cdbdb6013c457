"""The checks shown on screen: parts against the target, and the lens's last row against the model's output."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Check:
    """One number computed in two ways, and whether they agree.

    Attributes:
        sum: the sum of its parts.
        target: the number read off the model.
        tolerance: the largest difference that rounding explains.
    """

    sum: float
    target: float
    tolerance: float

    @property
    def difference(self) -> float:
        """Return sum - target."""
        return self.sum - self.target

    @property
    def ok(self) -> bool:
        """Tell whether the difference is within the tolerance; NaN never is."""
        return abs(self.difference) <= self.tolerance

    @property
    def reason(self) -> str:
        """Say what is wrong, or nothing."""
        if self.ok:
            return ""
        return (
            f"the parts sum to {self.sum:.6g}, but the model gives {self.target:.6g}: "
            f"they differ by {self.difference:.3g}, and rounding explains at most {self.tolerance:.1g}"
        )


def sum_check(
    parts: Float[Tensor, "group component"],
    target: Float[Tensor, "group"],
    cancelled: Float[Tensor, "group"],
    dtype: torch.dtype,
) -> list[Check]:
    """Compare the sum of all parts with the target, one check per group.

    The tolerance is 8 eps in float32, 2 eps in 16-bit types, times the sizes of what was added up: the parts and
    `cancelled`, the size of what the parts do not show: logits may share an offset, and terms have parts in common.
    """
    tolerance = rounding(dtype) * (parts.abs().sum(-1) + cancelled)
    return [
        Check(s, t, tol) for s, t, tol in zip(parts.sum(-1).tolist(), target.tolist(), tolerance.tolist(), strict=True)
    ]


def lens_check(
    lens_logits: Float[Tensor, "row d_vocab"], logits: Float[Tensor, "row d_vocab"], dtype: torch.dtype
) -> list[Check]:
    """Compare the lens's last depth with the model's own logits, at the token where they differ most."""
    apart = (lens_logits - logits).abs().argmax(-1, keepdim=True)
    tolerance = rounding(dtype) * 2 * logits.abs().amax(-1)
    return [
        Check(s, t, tol)
        for s, t, tol in zip(
            lens_logits.gather(1, apart)[:, 0].tolist(),
            logits.gather(1, apart)[:, 0].tolist(),
            tolerance.tolist(),
            strict=True,
        )
    ]


@dataclass(frozen=True)
class LayerCheck:
    """How far the parts of one layer, as vectors, are from what the layer adds to the residual stream.

    Attributes:
        layer: which layer.
        error: the length of the difference.
        tolerance: the largest length that rounding explains.
    """

    layer: int
    error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Tell whether the error is within the tolerance; a NaN never is."""
        return self.error <= self.tolerance

    @property
    def reason(self) -> str:
        """Say what is wrong, or nothing."""
        if self.ok:
            return ""
        return (
            f"the parts of layer {self.layer} differ from what it adds by {self.error:.3g}, "
            f"and rounding explains at most {self.tolerance:.1g}"
        )


def layer_checks(
    parts: Float[Tensor, "layer part term d_model"], ends: Float[Tensor, "layer_end term d_model"], dtype: torch.dtype
) -> list[LayerCheck]:
    """Compare each layer's parts with its change of the residual stream; return each term's worst layer.

    The tolerance is 1 eps times the lengths of the stream before and after, and of the parts.
    """
    error = (parts.sum(1) - (ends[1:] - ends[:-1])).norm(dim=-1)
    lengths = ends.norm(dim=-1)
    tolerance = torch.finfo(dtype).eps * (lengths[1:] + lengths[:-1] + parts.norm(dim=-1).sum(1))
    worst = (error / tolerance).nan_to_num(nan=torch.inf).argmax(0)
    return [
        LayerCheck(layer, float(error[layer, term]), float(tolerance[layer, term]))
        for term, layer in enumerate(worst.tolist())
    ]


def rounding(dtype: torch.dtype) -> float:
    """Return the relative tolerance of a sum in this type."""
    if dtype in (torch.bfloat16, torch.float16):
        return 2 * torch.finfo(dtype).eps
    # Results are handed on in float32, also those of float64 models.
    return 8 * torch.finfo(torch.float32).eps
