"""Checks as the browser shows them."""

from typing import Any

from residscope.analysis.check import Check
from residscope.quantity import SumCheck
from residscope.runs.trace import Trace


def check_info(check: Check | SumCheck) -> dict[str, Any]:
    """Return a check as plain data; a number that is not finite becomes None, because JSON cannot hold it."""
    return {
        "sum": _finite(check.sum),
        "target": _finite(check.target),
        "difference": _finite(check.difference),
        "tolerance": _finite(check.tolerance),
        "ok": check.ok,
        "reason": check.reason,
    }


def parts_checks(trace: Trace) -> list[SumCheck]:
    """Return each row's sum check, which also fails if the parts of a layer, as vectors, differ from what it adds."""
    return [
        SumCheck(
            whole.sum,
            whole.target,
            whole.ok and layer.ok,
            "; ".join(filter(None, (whole.reason, layer.reason))),
            whole.tolerance,
        )
        for whole, layer in zip(trace.sum_check(), trace.layer_check(), strict=True)
    ]


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
