"""Jupyter kernels that start in a fraction of a second, for what a kernel imports is imported already."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FORKED = "forked"
"""The name of the kernels that a fork server forks."""


class ForkServer:
    """A process that forks real kernels; Jupyter finds them as "forked" where JUPYTER_PATH names `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        address = str(folder / "socket")
        launch = [sys.executable, "-IS", str(HERE / "launch.py"), address, "-f", "{connection_file}"]
        spec = {"argv": launch, "display_name": "Python 3 (forked)", "language": "python"}
        kernels = folder / "kernels" / FORKED
        kernels.mkdir(parents=True)
        (kernels / "kernel.json").write_text(json.dumps(spec))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(address)
            listener.listen()
            self.process = subprocess.Popen(
                # -P: a kernel finds no modules beside the server.
                [sys.executable, "-P", str(HERE / "server.py"), str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when all is imported; a kernel that is asked for earlier waits, and those who wait for it may not."""
        if not self.process.stdout.readline():
            raise AssertionError("the fork server could not import what it holds")

    def close(self) -> None:
        """End the server and its kernels."""
        self.process.communicate()
