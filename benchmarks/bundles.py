"""What each view's script and style weigh."""

import gzip
from pathlib import Path

import residscope
from benchmarks.rows import Row
from benchmarks.scale import Scale

STATIC = Path(residscope.__file__).parent / "static"
LIMITS = {"": 72, ", gzipped": 28}
"""In KB, as they are and gzipped: where the build fails."""

COMMON = {"": 90, ", gzipped": 36}
"""The same of what draws any quantity, for all views without a canvas of their own."""


def measure(_scale: Scale) -> list[Row]:
    """Measure every built bundle with its CSS, as it is and gzipped."""
    rows = []
    for script in sorted(STATIC.glob("*.js")):
        if script.stem == "host":
            continue
        style = script.with_suffix(".css")
        content = script.read_bytes() + (style.read_bytes() if style.exists() else b"")
        limits = COMMON if script.stem == "view" else LIMITS
        sizes = len(content), len(gzip.compress(content, 9))
        for (how, limit), size in zip(limits.items(), sizes, strict=True):
            what = f"bundle of `{script.stem}`{how}"
            rows.append(Row(what, size, "where the build fails", limit * 2**10, "B", 1))
    return rows
