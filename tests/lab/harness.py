"""A real JupyterLab with kernels, driven in Chromium."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from tests.browser import profile
from tests.kernels import FORKED
from tests.waits import LONGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, Page, Request, Route, WebSocketRoute

SCREENSHOTS = Path("test-output")
VIEWPORT = {"width": 1400, "height": 1600}

# Waits until the notebook on screen has a kernel that answers.
READY = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  const session = app.shell.currentWidget.sessionContext;
  await session.ready;
  const kernel = session.session.kernel;
  await kernel.info;
  return kernel.name;
}"""

# Without its result, which would cost a second: all that hangs on a notebook.
OPEN = "async path => { await window.jupyterapp.commands.execute('docmanager:open', { path }); }"

# Unsaved changes go too.
CLOSE = "() => [...window.jupyterapp.shell.widgets('main')].forEach(widget => widget.dispose())"

SHOWN = "name => window.jupyterapp?.shell.currentWidget?.sessionContext?.name === name"

EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = "";
  let error = null;
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") text += content.text;
    if (header.msg_type === "execute_result") text += content.data["text/plain"];
    if (header.msg_type === "error") error = content.traceback.join("\\n");
  };
  await future.done;
  return { text, error };
}"""

# Keeps the kernel from everything else until `Lab.tell_cell`.
BUSY_UNTIL_TOLD = """
import pathlib, time
while not pathlib.Path("told").exists():
    time.sleep(0.01)
pathlib.Path("told").unlink()
"""

# Followed by two frames, in which canvases are painted.
THEMED = """async theme => {
  const frame = () => new Promise(requestAnimationFrame);
  const themed = [...document.querySelectorAll(".rs-view")].every(view => view.dataset.theme === theme);
  if (themed) await frame().then(frame);
  return themed;
}"""

# The traceback of each cell whose outputs hold one.
ERRORS = """() => {
  const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells];
  return cells.flatMap((cell, index) => {
    const outputs = cell.type === "code" ? cell.outputs.toJSON() : [];
    return outputs
      .filter(output => output.output_type === "error")
      .map(output => [index, output.traceback.join("\\n")]);
  });
}"""


class CellError(AssertionError):
    """Code failed in the kernel; the message is its traceback."""


def plain(traceback: str) -> str:
    """Return the traceback without the terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", traceback)


class Server:
    """One `jupyter lab` with settings of its own, in `root`, on a free port."""

    def __init__(self, root: Path, browser: Browser) -> None:
        self.root = root / "notebooks"
        self.browser = browser
        settings = root / "config" / "lab" / "user-settings" / "@jupyterlab"
        for folder in (self.root, settings / "apputils-extension"):
            folder.mkdir(parents=True)
        # Else Lab asks for leave to fetch news, and fetches whether it is up to date.
        (settings / "apputils-extension" / "notification.jupyterlab-settings").write_text(
            json.dumps({"fetchNews": "false", "checkForUpdates": False})
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = root / "jupyter.log"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                "--expose-app-in-browser",
                f"--ServerApp.root_dir={self.root}",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                f"--MappingKernelManager.kernel_info_timeout={LONGEST}",
                "--IdentityProvider.token=",
                "--ServerApp.disable_check_xsrf=True",
            ],
            env=os.environ
            | {
                "JUPYTER_CONFIG_DIR": str(root / "config"),
                "JUPYTER_DATA_DIR": str(root / "data"),
                "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
                "IPYTHONDIR": str(root / "ipython"),
            },
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def request(self, path: str, method: str = "GET") -> Any:
        """Ask the server's own interface; None where the answer is empty."""
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=LONGEST) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def wait(self) -> None:
        """Return when the server answers; fail with its log when it does not."""
        deadline = time.monotonic() + LONGEST
        while True:
            try:
                self.request("/api")
                return
            except (urllib.error.URLError, OSError) as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = self.log.read_text()
                    raise AssertionError(f"JupyterLab did not start:\n{log}") from error
                time.sleep(0.05)

    def lab(self) -> Lab:
        """Return a fresh browser profile on this server."""
        return Lab(self)

    def close(self) -> None:
        """End the server, and with it its kernels."""
        self.process.terminate()
        try:
            self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Lab:
    """One user in front of JupyterLab: a browser profile and the notebook on screen.

    Attributes:
        page: The page on which JupyterLab runs; it is loaded with the first notebook, and kept for the next.
        outside: Every address beyond the server that was asked for; each was refused.
        console: What the page wrote to the console, as (kind, text).
        sent: The messages from the page to kernels, in order.
        received: The messages from kernels to the page, in order.
    """

    page: Page

    def __init__(self, server: Server) -> None:
        self.server = server
        self.outside: list[str] = []
        self.console: list[tuple[str, str]] = []
        self.sent: list[str | bytes] = []
        self.received: list[str | bytes] = []
        self.context = profile(server.browser, viewport=VIEWPORT, service_workers="block")
        websocket = server.url.replace("http", "ws")
        self.context.route(lambda url: not url.startswith(server.url), self._refuse)
        self.context.route_web_socket(lambda url: not url.startswith(websocket), self._refuse_web_socket)

    def _refuse(self, route: Route, request: Request) -> None:
        self.outside.append(request.url)
        route.abort()

    def _refuse_web_socket(self, socket: WebSocketRoute) -> None:
        self.outside.append(socket.url)
        socket.close()

    def open(self, notebook: Path | Sequence[str], kernel: str = FORKED) -> Page:
        """Show a copy of a notebook, or a new one of these code cells, with a kernel of this name that answers."""
        if isinstance(notebook, Path):
            name = notebook.name
            shown = nbformat.read(notebook, as_version=4)
        else:
            name = "Test.ipynb"
            shown = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in notebook])
        self._write(name, shown, kernel)
        self.close_notebook()
        self._show(name)
        self.page.evaluate(READY)
        return self.page

    def _write(self, name: str, notebook: nbformat.NotebookNode, kernel: str) -> None:
        # JupyterLab starts the kernel that a notebook names.
        notebook.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
        nbformat.write(notebook, self.server.root / name)

    def _show(self, name: str) -> None:
        if self.context.pages:
            self.page.evaluate(OPEN, name)
        else:
            self.page = self.context.new_page()
            self.page.on("console", lambda message: self.console.append((message.type, message.text)))
            self.page.on("websocket", self._listen)
            self.page.goto(f"{self.server.url}/lab/tree/{name}?reset")
        self.page.wait_for_function(SHOWN, arg=name)

    def _listen(self, socket: Any) -> None:
        if "/channels" in socket.url:
            # Playwright writes on its listeners, which a built-in method does not allow.
            socket.on("framesent", lambda frame: self.sent.append(frame))
            socket.on("framereceived", lambda frame: self.received.append(frame))

    def run_all(self) -> None:
        """Run all cells and return when the last is done.

        Raises:
            CellError: A cell failed.
        """
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self._raise_errors()

    def _raise_errors(self) -> None:
        errors = [f"cell {index}: {plain(text)}" for index, text in self.page.evaluate(ERRORS)]
        if errors:
            raise CellError("\n".join(errors))

    def run_cell_without_waiting(self, index: int) -> None:
        """Start one cell, counted from 0, and return while it runs."""
        self.page.evaluate(
            """index => {
              const { commands, shell } = window.jupyterapp;
              shell.currentWidget.content.activeCellIndex = index;
              void commands.execute("notebook:run-cell");
            }""",
            index,
        )

    def run_cell(self, index: int) -> None:
        """Run one cell, counted from 0, and return when it is done.

        Raises:
            CellError: The cell failed.
        """
        self.page.evaluate(
            """async index => {
              const { commands, shell } = window.jupyterapp;
              shell.currentWidget.content.activeCellIndex = index;
              await commands.execute("notebook:run-cell");
            }""",
            index,
        )
        self._raise_errors()

    def tell_cell(self) -> None:
        """Let a cell that runs `BUSY_UNTIL_TOLD` end."""
        (self.server.root / "told").touch()

    def kernel(self, way: str) -> None:
        """Restart the kernel, or end it."""
        self.page.evaluate(
            """async way => {
              const { sessionContext } = window.jupyterapp.shell.currentWidget;
              if (way === "restarted") await sessionContext.session.kernel.restart();
              else await sessionContext.shutdown();
            }""",
            way,
        )

    def reopen(self, name: str, *, kernel: bool) -> None:
        """Show a saved notebook on a new page, with a kernel that has run nothing, or with none."""
        self.close_page()
        if not kernel:
            self._write(name, nbformat.read(self.server.root / name, as_version=4), "none")
        self._show(name)
        if kernel:
            self.page.evaluate(READY)

    def execute(self, code: str) -> str:
        """Run code in the kernel, beside the notebook, and return what it printed or evaluated to.

        Raises:
            CellError: The code failed.
        """
        answer = self.page.evaluate(EXECUTE, code)
        if answer["error"]:
            raise CellError(plain(answer["error"]))
        return answer["text"].strip()

    def theme(self, name: str) -> None:
        """Switch to JupyterLab's "dark" or "light" theme and wait until every view on the page is painted in it."""
        title = {"dark": "JupyterLab Dark", "light": "JupyterLab Light"}[name]
        light = "true" if name == "light" else "false"
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", title)
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.page.wait_for_function(THEMED, arg=name)

    def screenshot(self, name: str) -> Path:
        """Write what is on screen to test-output/ and return the file."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.png"
        self.page.screenshot(path=path)
        return path

    def close_notebook(self) -> None:
        """Leave JupyterLab as it was before the first notebook: nothing open, no kernel on the server."""
        if self.context.pages:
            self.page.evaluate(CLOSE)
            self.page.set_viewport_size(VIEWPORT)
        for session in self.server.request("/api/sessions"):
            self.server.request(f"/api/sessions/{session['id']}", method="DELETE")

    def close_page(self) -> None:
        """Close the page too, for a test that needs a new one or has left this one in a state of its own."""
        for page in self.context.pages:
            page.close()
        self.close_notebook()

    def tidy(self, *, new_page: bool = False) -> None:
        """Make ready for another test, on a new page if need be."""
        # A dialog would lie over the next notebook.
        if new_page or any(page.locator(".jp-Dialog").count() for page in self.context.pages):
            self.close_page()
        else:
            self.close_notebook()
        for recorded in (self.outside, self.console, self.sent, self.received):
            recorded.clear()

    def close(self) -> None:
        """Close the notebook and the browser profile."""
        self.close_page()
        self.context.close()
