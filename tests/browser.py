"""Which Chromium the browser tests drive, and how it is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.waits import LONGEST

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, BrowserType

# A container has no sandbox and no graphics card; the rest keeps Chromium off the network.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def system_chromium() -> str | None:
    """Return the path of RESIDSCOPE_CHROMIUM or of the system's browser; None if it has none.

    The headless shell is the same browser without windows: a page costs it a quarter of what a window does.
    """
    if chosen := os.environ.get("RESIDSCOPE_CHROMIUM"):
        return chosen
    found = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None)


def launch(chromium: BrowserType, *, scroll_bars: bool = False) -> Browser:
    """Start the system's Chromium, or Playwright's own where the system has none.

    Args:
        scroll_bars: let scroll bars take room, as they do on a desktop; Playwright hides them.
    """
    shown = ["--hide-scrollbars"] if scroll_bars else None
    return chromium.launch(executable_path=system_chromium(), args=ARGUMENTS, ignore_default_args=shown)


def profile(browser: Browser, **options: Any) -> BrowserContext:
    """Return a fresh profile of the browser, in which waits end when the thing is there."""
    context = browser.new_context(**options)
    context.set_default_timeout(1000 * LONGEST)
    return context


if __name__ == "__main__" and system_chromium() is None:
    print("No Chromium here: Playwright fetches its own", flush=True)
    sys.exit(subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"]).returncode)
