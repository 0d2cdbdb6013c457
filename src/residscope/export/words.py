"""Numbers and token texts as still pictures write them."""

import math
import textwrap
from decimal import ROUND_HALF_UP, Decimal

MARKS = str.maketrans({"\n": "⏎", "\r": "⏎", "\t": "⇥"})


def number(value: float, *, sign: bool = False) -> str:
    """Write a number as the views do: three significant digits, a true minus, never an exponent.

    0.0417, 3.08, −0.417; below a hundred there are at least two decimals: 10.80; of nothing to speak of it is 0.
    """
    size = abs(value)
    if math.isnan(value):
        return "–"
    # Ties are rounded up, as in the browser; Python's own way would round them to the even neighbour.
    if size >= 99.5:
        text = "∞" if math.isinf(size) else f"{math.floor(size + 0.5):,}"
    else:
        decimals = 2 if size >= 1 else min(5, 2 - math.floor(math.log10(size or 1)))
        rounded = Decimal(size).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        if rounded == 0:
            return "0"
        text = f"{rounded:f}"
    return f"{'−' if value < 0 else '+' if sign else ''}{text}"


def probability(value: float, decimals: int = 3) -> str:
    """Write a probability to so many decimals; what is not quite 0, or not quite 1, is not written as that."""
    step = 10.0**-decimals
    if 0 < value < step / 2:
        return f"<{step:.{decimals}f}"
    if 1 - step / 2 <= value < 1:
        return f">{1 - step:.{decimals}f}"
    return "–" if math.isnan(value) else f"{value:.{decimals}f}"


def share(value: float) -> str:
    """Write a share of one, as attention is, to two decimals."""
    return "–" if math.isnan(value) else "<0.01" if 0 < value < 0.005 else f"{value:.2f}"


def measured(words: str, unit: str) -> str:
    """Name what a number is, and its unit where it has one."""
    return f"{words} · {unit}" if unit else words


def visible(text: str) -> str:
    """Return a token's text with the spaces at its edges and its line breaks marked."""
    core = text.strip(" ")
    left = len(text) - len(text.lstrip(" "))
    marked = "·" * left + core + ("·" * (len(text) - left - len(core)) if core else "")
    return marked.translate(MARKS)


def shorten(text: str, most: int) -> str:
    """Cut a long text, keeping its beginning."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def lines(text: str, width: int) -> list[str]:
    """Break a sentence into lines of at most this many characters."""
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]
