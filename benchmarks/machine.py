"""What a measurement was made with."""

import importlib.metadata
import os
import platform
from pathlib import Path

from benchmarks import browser

PACKAGES = ("torch", "transformers", "transformer-lens", "anywidget", "circuitsvis")


def described() -> list[str]:
    """Return the machine and the versions, a line each."""
    with browser.opened() as chromium:
        version = chromium.version
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return [
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; no graphics card; one thread",
        f"Python {platform.python_version()}, {packages}",
        f"Chromium {version}, headless",
    ]


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
