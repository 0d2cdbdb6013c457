"""Where a model's weights are: on one device, on several, or offloaded; and how to load them for use."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from accelerate.utils import align_module_device
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from residscope.models.copies import modules_of, tensors_of


def home_of(model: TransformerBridge) -> torch.device:
    """Return the device that results are gathered on: the first block's."""
    first = model.blocks[0]
    device: torch.device = next(first.parameters()).device
    if device.type != "meta":
        return device
    hooks = (getattr(module, "_hf_hook", None) for module in first.modules())
    devices = (getattr(hook, "execution_device", None) for hook in hooks)
    return torch.device(next(device for device in devices if device is not None))


def is_offloaded(model: TransformerBridge) -> bool:
    """Tell whether weights are fetched for each layer's run alone: then they cannot be shared by a copy."""
    return any_offloaded(tensors_of(model))


def any_offloaded(tensors: Iterable[Tensor]) -> bool:
    """Tell whether there are weights of an offloaded model among these."""
    return any(tensor.is_meta and isinstance(tensor, torch.nn.Parameter) for tensor in tensors)


def is_split(model: TransformerBridge) -> bool:
    """Tell whether weights are on several devices."""
    return len({parameter.device for parameter in model.parameters()}) > 1


@contextmanager
def loaded(*modules: torch.nn.Module) -> Iterator[None]:
    """Load the modules' weights for use, including offloaded ones."""
    with ExitStack() as stack:
        for part in modules_of(*modules):
            # Few models are offloaded, and entering an empty context for each module takes longer than most sums.
            if "_hf_hook" in vars(part):
                stack.enter_context(align_module_device(part))
        yield
