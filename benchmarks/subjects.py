"""All that can be measured, by name, in the order of the table."""

from collections.abc import Callable

from benchmarks import (
    bundles,
    cold_start,
    edits,
    gestures,
    head_effects,
    imports,
    lens,
    patterns,
    recordings,
    showing,
)
from benchmarks.rows import Row
from benchmarks.scale import Scale

SUBJECTS: dict[str, Callable[[Scale], list[Row]]] = {
    "head-effects": head_effects.measure,
    "edits": edits.measure,
    "showing": showing.measure,
    "lens": lens.measure,
    "recordings": recordings.measure,
    "gestures": gestures.measure,
    "patterns": patterns.measure,
    "bundles": bundles.measure,
    "imports": imports.measure,
    "cold-start": cold_start.measure,
}
