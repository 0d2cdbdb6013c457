"""How large a measurement is: as the budgets have it, or so small that it only proves that it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The sizes of a GPT-2."""

    layers: int
    heads: int
    d_model: int
    d_vocab: int


@dataclass(frozen=True)
class Scale:
    """What is measured, and how often.

    Attributes:
        size: of the model.
        short: tokens of a prompt such as people write by hand.
        page: tokens of one whose lens goes to a page as a whole.
        medium: tokens of a longer one.
        long: tokens of one that fills a screen.
        repeats: of what takes less than a second.
        few: of what takes longer.
    """

    size: Size
    short: int
    page: int
    medium: int
    long: int
    repeats: int
    few: int


FULL = Scale(
    Size(layers=12, heads=12, d_model=768, d_vocab=50257), short=20, page=60, medium=128, long=512, repeats=11, few=5
)
QUICK = Scale(Size(layers=2, heads=2, d_model=16, d_vocab=300), short=6, page=8, medium=8, long=12, repeats=1, few=1)
