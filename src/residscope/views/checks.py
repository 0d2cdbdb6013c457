"""A check as the browser shows it."""

from typing import Any

from residscope.analysis.check import Check


def check_info(check: Check) -> dict[str, Any]:
    """Return a check as plain data."""
    return {
        "sum": check.sum,
        "target": check.target,
        "difference": check.difference,
        "tolerance": check.tolerance,
        "ok": check.ok,
        "reason": check.reason,
    }
