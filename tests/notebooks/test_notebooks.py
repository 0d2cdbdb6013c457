"""Every notebook runs from top to bottom, as a reader would run it."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kernels import FORKED
from tests.waits import LONGEST

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
QUICKSTART = FOLDER / "01_quickstart.ipynb"


def test_the_quickstart_is_there():
    assert QUICKSTART in NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(kernels, notebook: Path, tmp_path: Path):
    # A copy: what a cell writes stays out of the checkout.
    copy = Path(shutil.copy(notebook, tmp_path))
    cells = nbformat.read(copy, as_version=4)
    # The first notebook's kernel imports everything itself, as a reader's does.
    kernel = "python3" if notebook == QUICKSTART else FORKED
    resources = {"metadata": {"path": str(tmp_path)}}
    limits = {"timeout": LONGEST, "startup_timeout": LONGEST}
    NotebookClient(cells, **limits, kernel_name=kernel, resources=resources).execute()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(notebook: Path):
    cells = nbformat.read(notebook, as_version=4).cells
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
