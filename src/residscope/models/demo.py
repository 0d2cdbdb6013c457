"""The demo model that ships with the package: its folder, its prompts, the words it does not know."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "data" / "demo"


@dataclass(frozen=True)
class Preset:
    """One prompt the demo model was trained to answer, with a right and a wrong answer."""

    name: str
    prompt: str
    answers: tuple[str, str]
    corrupted: str | None = None


def presets() -> list[Preset]:
    """Return prompts to try on the demo model: `rs.Experiment(model, p.prompt, p.answers, p.corrupted)`."""
    entries = json.loads((FOLDER / "presets.json").read_text(encoding="utf-8"))
    return [Preset(e["name"], e["prompt"], tuple(e["answers"]), e.get("corrupted")) for e in entries]


def is_demo(model: Any) -> bool:
    """Tell whether this bridge was loaded from the shipped folder."""
    name = str(getattr(model.cfg, "model_name", ""))
    return name == str(FOLDER)


def unknown_words(tokenizer: Any, text: str) -> list[str]:
    """Return the words of the text that the demo model's vocabulary lacks, which it reads byte by byte."""
    for special in tokenizer.all_special_tokens:
        text = text.replace(special, " ")
    words = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    vocabulary = tokenizer.get_vocab()
    return [text[start:end].strip() for word, (start, end) in words if word not in vocabulary]
