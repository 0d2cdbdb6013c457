"""What every test needs before the first import of torch."""

from __future__ import annotations

import os
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium; a test or a fixture makes a context of its own in it, a fresh profile."""
    # Imported here: only browser tests pay for it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
