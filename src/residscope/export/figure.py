"""The content of a view's still picture as plain data, from which the SVG and the plotly figure are made."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from residscope.export.colours import Scale

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class Map:
    """A map of cells.

    Attributes:
        values: [row col], NaN where there is no cell.
        rows: the rows' labels.
        cols: the columns' labels.
        scale: "signed" is symmetric about 0 as "changed" is, "sequential" begins at 0.
        high: the number at the scale's end.
        name: what the numbers are.
        unit: their unit.
        texts: the texts in the cells, or nothing.
        ringed: the selected cell; (row, None) is a whole row, (None, col) a whole column.
        upward: whether row 0 is at the bottom, as for layers.
        tokens: whether the column labels are tokens, which are written at a slant above the map.
    """

    values: Numbers
    rows: Sequence[str]
    cols: Sequence[str]
    scale: Scale
    high: float
    name: str
    unit: str
    texts: Sequence[Sequence[str]] | None = None
    ringed: tuple[int | None, int | None] | None = None
    upward: bool = False
    tokens: bool = False


@dataclass(frozen=True)
class Bars:
    """Signed bars, one per label, the first at the bottom.

    Attributes:
        values: [bar], NaN where there is none.
        spread: [row bar], one dot each, or nothing.
        shades: [bar], the share of the full colour that each is drawn in, or nothing where all are in the full one.
    """

    labels: Sequence[str]
    values: Numbers
    name: str
    unit: str
    spread: Numbers | None = None
    shades: Numbers | None = None


@dataclass(frozen=True)
class Curve:
    """A number along named steps, NaN where there is none."""

    steps: Sequence[str]
    values: Numbers
    name: str
    unit: str


@dataclass(frozen=True)
class Chips:
    """The tokens of one prompt.

    Attributes:
        texts: one per token, safe to show.
        values: [token], what tints them, or nothing.
        high: the number at the scale's end.
        target_position: where the target is read.
        ringed: the selected position.
        name: what the tint is.
        unit: its unit.
        soft: the positions of tokens that stand back, such as those that a chat template added.
        scale: of the tint, as a map has it.
    """

    texts: Sequence[str]
    target_position: int | None = None
    ringed: int | None = None
    values: Numbers | None = None
    high: float = 1.0
    name: str = ""
    unit: str = ""
    soft: frozenset[int] = frozenset()
    scale: Scale = "signed"


@dataclass(frozen=True)
class Table:
    """Rows of a text and a written number, under a heading."""

    heading: str
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """Small maps side by side, each with its name."""

    members: Sequence[tuple[str, Map]]


@dataclass(frozen=True)
class Heading:
    """What the blocks after it show, where a view shows several numbers."""

    words: str


Block = Heading | Map | Bars | Curve | Chips | Table | Group


@dataclass(frozen=True)
class Figure:
    """A still picture of a view.

    Attributes:
        title: the view's name.
        what: the number shown, and its unit.
        facts: the texts at the right of the title: the check, the run's number.
        sentence: the caption.
        notes: the warnings, one sentence each.
    """

    title: str
    what: str
    facts: str
    sentence: str
    blocks: Sequence[Block] = field(default=())
    notes: Sequence[str] = field(default=())

    @property
    def said(self) -> str:
        """Return its text for screen readers: the caption and the warnings."""
        return " ".join([self.sentence, *self.notes])
