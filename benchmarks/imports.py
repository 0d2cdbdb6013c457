"""What `import residscope` costs."""

from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import starts

ALLOWED = 0.2
"""Seconds that it may take beyond the widgets' libraries alone."""


def measure(scale: Scale) -> list[Row]:
    """Measure a fresh Python that imports it, and one that imports what all widgets need."""
    time = starts({"python": "pass", "ours": "import residscope", "widgets": "import anywidget, ipywidgets"}, scale.few)
    ours, widgets = (max(time[name] - time["python"], 1e-4) for name in ("ours", "widgets"))
    return [Row("`import residscope`", ours, "anywidget and ipywidgets, and 0.2 s", widgets + ALLOWED, "s", 1)]
