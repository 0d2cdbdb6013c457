"""What every test needs before the first import of torch."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import launch
from tests.kernels import ForkServer

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
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """What forks kernels for every Jupyter that starts from here on; it may still be importing."""
    server = ForkServer(tmp_path_factory.mktemp("kernels"))
    # In front of what the machine has; servers inherit it.
    os.environ["JUPYTER_PATH"] = os.pathsep.join([str(server.folder), *filter(None, [os.environ.get("JUPYTER_PATH")])])
    yield server
    server.close()


@pytest.fixture(scope="session")
def kernels(fork_server: ForkServer) -> None:
    """Kernels by the name of `forked`, which start at once."""
    fork_server.wait()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium; a test or a fixture makes a context of its own in it, a fresh profile."""
    # Imported here: only browser tests pay for it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()
