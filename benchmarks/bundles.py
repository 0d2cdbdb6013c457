"""What each view's script and style weigh."""

import gzip
from pathlib import Path

import residscope
from benchmarks.rows import Row
from benchmarks.scale import Scale

STATIC = Path(residscope.__file__).parent / "static"
LIMITS = {"": (60, 72), ", gzipped": (22, 28)}
"""In KB, as they are and gzipped: the budget, and where the build fails."""


def measure(_scale: Scale) -> list[Row]:
    """Measure every built bundle with its CSS, as it is and gzipped."""
    rows = []
    for script in sorted(STATIC.glob("*.js")):
        if script.stem == "host":
            continue
        style = script.with_suffix(".css")
        content = script.read_bytes() + (style.read_bytes() if style.exists() else b"")
        for (how, (budget, fails)), size in zip(
            LIMITS.items(), (len(content), len(gzip.compress(content, 9))), strict=True
        ):
            against = f"the budget; the build fails at {fails} KB"
            rows.append(Row(f"bundle of `{script.stem}`{how}", size, against, budget * 2**10, "B", 1))
    return rows
