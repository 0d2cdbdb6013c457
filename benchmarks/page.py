"""The page of results: its table is measured, the rest is written by hand."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import HEADINGS, Row

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured -->", "<!-- until here -->"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(rows: Sequence[Row], made_with: Sequence[str]) -> None:
    """Put new results in the place of the old ones."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    facts = "\n".join(f"- {line}" for line in made_with)
    PAGE.write_text(f"{before}{BEGIN}\n\n{facts}\n\n{table(rows)}\n\n{END}{after}", encoding="utf-8")
