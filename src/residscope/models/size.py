"""How large a model is, how much memory is free, and which dtype leaves room for a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

# Beside the weights a run keeps activations and the logits where the target is read.
_ROOM = 1.25

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def parameters_of(config: Any) -> int:
    """Count a model's parameters from its config; nothing is loaded."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())


def free_memory(device: torch.device) -> int:
    """Return how many bytes are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return int(psutil.virtual_memory().available)


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether this error says that there is not enough memory; each device has its own."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in said for sign in _OUT_OF_MEMORY)


@contextmanager
def saying_what_to_turn_down(tokens: Tensor) -> Iterator[None]:
    """Make an out-of-memory error say what would need less memory.

    Raises:
        torch.OutOfMemoryError: with that sentence.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        rows, width = tokens.shape
        what = "one prompt" if rows == 1 else f"{rows} prompts"
        raise torch.OutOfMemoryError(
            f"a run of {what} of {width} tokens does not fit in memory: give {'' if rows == 1 else 'fewer or '}shorter "
            "prompts, or load the model with dtype=torch.bfloat16 or device='cpu'"
        ) from error


def fitting_dtype(
    parameters: int, device: torch.device, free: Callable[[torch.device], int] = free_memory
) -> tuple[torch.dtype, str]:
    """Choose float32 where it fits with room for a run, else 16 bits, with the line that says so.

    Args:
        parameters: how many there are.
        device: where they go.
        free: reads the free memory of a device, in bytes.
    """
    there = free(device)
    wide = 4 * parameters
    if wide * _ROOM <= there:
        return torch.float32, f"{parameters:,} parameters in float32, {_gigabytes(wide)} on {device}"
    without = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    half = torch.float16 if without else torch.bfloat16
    return half, (
        f"{parameters:,} parameters in {str(half).removeprefix('torch.')}, {_gigabytes(wide // 2)} on {device}: "
        f"float32 would take {_gigabytes(wide)}, more than fits in the {_gigabytes(there)} that are free with "
        "room for a run; dtype=torch.float32 loads it anyway"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
