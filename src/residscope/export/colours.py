"""The views' colours on a white page, from the file that js/lib/palette.ts reads too."""

import json
from pathlib import Path
from typing import Literal

Scale = Literal["signed", "changed", "sequential"]
"""What a colour means: a sign, a change of an unsigned number, or a size."""

_PALETTE = json.loads((Path(__file__).parents[1] / "data" / "palette.json").read_text(encoding="utf-8"))

STOPS: dict[Scale, list[str]] = {
    "signed": _PALETTE["signed"]["RdBu"]["light"],
    "changed": _PALETTE["signed"]["PuOr"]["light"],
    "sequential": _PALETTE["sequential"]["light"],
}
"""ColorBrewer's RdBu and PuOr, turned so that positive comes last; and from nothing to much."""

POSITIVE: str = _PALETTE["signed"]["RdBu"]["positive"]
"""What the positive end is called."""

MLP_SHADE: float = _PALETTE["mlp_shade"]
"""An MLP's share of the full colour, which tells it from attention."""

INK, SOFT, HAIR, ACCENT, PAGE = "#1b1f24", "#5f6874", "#e4e7eb", "#1f6feb", "#ffffff"
AMBER = "#8a5a00"
"""Of warnings, as js/lib/style.css has it."""

LEVELS = 64
"""Colours told apart: what is painted in one colour is one path."""


def level(scale: Scale, value: float, high: float) -> int:
    """Return which of the `LEVELS` steps of a scale that ends at `high` a number is."""
    share = value / high if high > 0 else 0.0
    share = (share + 1) / 2 if scale != "sequential" else share
    return round(min(1.0, max(0.0, share)) * (LEVELS - 1))


def colour(scale: Scale, step: int) -> str:
    """Return a step's colour."""
    stops = [bytes.fromhex(stop) for stop in STOPS[scale]]
    at = step / (LEVELS - 1) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    mixed = (round(a + (b - a) * (at - low)) for a, b in zip(stops[low], stops[low + 1], strict=True))
    return "#" + bytes(mixed).hex()


def ink_on(ground: str) -> str:
    """Return the ink that can be read on a colour."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (byte / 255 for byte in bytes.fromhex(ground[1:]))
    )
    # At this luminance dark and white ink have the same contrast.
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.2 else PAGE
