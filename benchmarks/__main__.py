"""Measure what is named, or all, and write `docs/benchmarks.md` when it is all."""

import argparse

from benchmarks import machine, page
from benchmarks.scale import FULL
from benchmarks.subjects import SUBJECTS


def main() -> None:
    """Measure, and print each row as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", choices=[[], *SUBJECTS], help="one of " + ", ".join(SUBJECTS)
    )
    names = parser.parse_args().names or list(SUBJECTS)
    rows = []
    for name in names:
        found = SUBJECTS[name](FULL)
        print(page.table(found), flush=True)
        rows += found
    if names == list(SUBJECTS):
        page.write(rows, machine.described())


if __name__ == "__main__":
    main()
