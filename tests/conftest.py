"""What every test needs before the first import of torch."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import launch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

# Kernels and subprocesses inherit these.
os.environ["HF_HUB_OFFLINE"] = "1"
# The demo model's products are too small for a second thread, which Chromium can use.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Keep SmolLM2 converted between runs, as long as what converts it is the same; kernels inherit where."""
    made_by = [ROOT / "src/residscope/models/smollm2.py", ROOT / "constraints.txt"]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in made_by)).hexdigest()[:12]
    os.environ["RESIDSCOPE_CACHE"] = str(config.cache.mkdir("models") / key)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of SmolLM2, converted by the first test that asks for it."""
    from residscope.models.smollm2 import cache, folder

    kept = cache()
    for other in kept.parent.iterdir():
        if other != kept:
            shutil.rmtree(other)
    return folder()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium; a test or a fixture makes a context of its own in it, a fresh profile."""
    # Imported here: only browser tests pay for it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()
