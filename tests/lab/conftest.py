"""JupyterLab as fixtures: `server` once a session, its page once a module, `lab` once a test."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from tests.lab.harness import Lab, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.kernels import ForkServer


@pytest.fixture(scope="session")
def server(
    browser: Browser,
    fork_server: ForkServer,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A running JupyterLab, whose kernels start at once."""
    server = Server(tmp_path_factory.mktemp("jupyter"), browser)
    try:
        server.wait()
        # Only now: the one starts while the other imports.
        request.getfixturevalue("kernels")
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def fresh_lab(server: Server) -> Iterator[Lab]:
    """A user with a fresh profile. A module of tests that shares one notebook takes this."""
    lab = server.lab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture
def lab(fresh_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """JupyterLab with nothing open; a test in which anything asks beyond the server fails."""
    yield fresh_lab
    outside = list(fresh_lab.outside)
    fresh_lab.tidy(new_page=FAILED in request.node.stash)
    assert outside == []


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Iterator[None]:
    """Keep a picture of every JupyterLab in which a test failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    if report.when == "call" and report.failed:
        for fixture in item.funcargs.values():
            # A browser that pytest's limit has cut off has no picture.
            if isinstance(fixture, Lab):
                with suppress(Error):
                    fixture.screenshot(item.name)
    return report
