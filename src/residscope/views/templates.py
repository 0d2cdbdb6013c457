"""Sentences from the templates that the browser's sentences are made of too."""

import json
import re
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "words.json").read_text(encoding="utf-8"))

_PLACE = re.compile(r"\{!?(\w+)\}")


def fill(template: str, /, **parts: object) -> str:
    """Put parts in a template's places; what the browser stresses is plain here."""
    return _PLACE.sub(lambda place: str(parts[place[1]]), WORDS[template])
