"""One line of the table of budgets."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """What something costs, beside something else.

    Attributes:
        what: is measured.
        ours: what it costs, in `unit`.
        against: what it is compared with.
        theirs: what that costs.
        unit: "s", of CPU time, or "B".
        budget: the largest ours / theirs that is allowed; None where there is none.
    """

    what: str
    ours: float
    against: str
    theirs: float
    unit: Literal["s", "B"]
    budget: float | None = None

    @property
    def ratio(self) -> float:
        """Return ours / theirs."""
        return self.ours / self.theirs

    @property
    def met(self) -> bool:
        """Tell whether the ratio is within the budget."""
        return self.budget is None or self.ratio <= self.budget

    def cells(self) -> list[str]:
        """Return the line's cells as text."""
        if self.budget is None:
            verdict = ""
        else:
            verdict = "yes" if self.met else f"no: {self.ratio / self.budget:.3g} times the budget"
        allowed = "" if self.budget is None else fraction(self.budget)
        ours, theirs = (quantity(value, self.unit) for value in (self.ours, self.theirs))
        return [self.what, ours, self.against, theirs, fraction(self.ratio), allowed, verdict]


HEADINGS = ["what", "takes", "compared with", "which takes", "ratio", "budget", "met"]


def quantity(value: float, unit: str) -> str:
    """Return seconds or bytes in words."""
    scales = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((2**20, "MB"), (2**10, "KB"), (1, "B"))}[unit]
    scale, name = next((scale for scale in scales if value >= scale[0]), scales[-1])
    return f"{value / scale:.3g} {name}" if value / scale < 1000 else f"{value / scale:.0f} {name}"


def fraction(ratio: float) -> str:
    """Return a ratio as 1.25, or as 1/8 where it is small."""
    return f"{ratio:.2f}" if ratio > 0.5 else f"1/{1 / ratio:.3g}"
