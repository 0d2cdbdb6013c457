"""JupyterLab as fixtures: `server` once a session, `lab` once a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.harness import Lab, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running JupyterLab. A module of tests that shares one notebook takes `server.lab()`."""
    server = Server(tmp_path_factory.mktemp("jupyter"), browser)
    try:
        server.wait()
        yield server
    finally:
        server.close()


@pytest.fixture
def lab(server: Server) -> Iterator[Lab]:
    """A user with a fresh profile; a test in which anything asks beyond the server fails."""
    lab = server.lab()
    try:
        yield lab
    finally:
        lab.close()
    assert lab.outside == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Iterator[None]:
    """Keep a picture of every JupyterLab in which a test failed."""
    report = yield
    if report.when == "call" and report.failed:
        for fixture in item.funcargs.values():
            if isinstance(fixture, Lab):
                fixture.screenshot(item.name)
    return report
