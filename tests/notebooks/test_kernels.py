"""Forked kernels behave as kernels that Jupyter starts from nothing: signals, restarts, ends, and nothing shared."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

import pytest
from jupyter_client.manager import start_new_kernel

from tests.kernels import FORKED
from tests.waits import LONGEST


class Kernel:
    """A kernel, its manager, and what code in it prints."""

    def __init__(self, **start):
        self.manager, self.client = start_new_kernel(LONGEST, FORKED, **start)

    def run(self, code):
        said = []
        reply = self.client.execute_interactive(
            code, timeout=LONGEST, output_hook=lambda message: said.append(message["content"].get("text", ""))
        )
        return reply["content"].get("ename") or "".join(said).strip()

    @property
    def launcher(self):
        return self.manager.provisioner.process

    def close(self):
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel()


@pytest.fixture
def start(kernels):
    """Start a kernel, or several."""
    started = []

    def start_(**how):
        started.append(Kernel(**how))
        return started[-1]

    yield start_
    for kernel in started:
        kernel.close()


def ended(pid):
    """Wait until a process has ended, or the wait is over."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            return select.select([handle], [], [], LONGEST)[0] != []
        finally:
            os.close(handle)
    return True


def test_a_kernel_has_the_imports_made_and_starts_where_and_with_what_it_was_told(start, tmp_path):
    kernel = start(cwd=str(tmp_path), env=os.environ | {"RESIDSCOPE_TOLD": "this"})
    assert kernel.run("import sys; print('torch' in sys.modules, 'transformer_lens' in sys.modules)") == "True True"
    assert kernel.run("import os; print(os.getcwd(), os.environ['RESIDSCOPE_TOLD'])") == f"{tmp_path} this"
    assert kernel.run("import server") == "ModuleNotFoundError"
    assert kernel.run("print(input.__self__.__class__.__name__)") == "IPythonKernel"


def test_kernels_share_nothing(start):
    one, other = start(), start()
    one.run("import torch; torch.mark = 1; mark = 2; print(torch.rand(1))")
    assert other.run("import torch; print(hasattr(torch, 'mark'), 'mark' in globals())") == "False False"
    one.manager.shutdown_kernel()
    assert other.run("print(1 + 1)") == "2"


def test_an_interrupt_reaches_a_busy_kernel_and_leaves_it_alive(start):
    kernel = start()
    # Else the kernel refuses for a moment what is asked after an error.
    asked = kernel.client.execute(
        "import time\nprint('busy', flush=True)\nwhile True: time.sleep(0.01)", stop_on_error=False
    )
    while kernel.client.get_iopub_msg(timeout=LONGEST)["header"]["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()
    while (reply := kernel.client.get_shell_msg(timeout=LONGEST))["parent_header"]["msg_id"] != asked:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert kernel.run("print(1 + 1)") == "2"


def test_a_restarted_kernel_is_another_process_that_has_run_nothing(start):
    kernel = start()
    before = int(kernel.run("mark = 1; import os; print(os.getpid())"))
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=LONGEST)
    assert kernel.run("print('mark' in globals())") == "False"
    assert int(kernel.run("import os; print(os.getpid())")) != before
    assert ended(before)


@pytest.mark.parametrize("now", [False, True], ids=["asked", "killed"])
def test_a_kernel_that_is_shut_down_ends_and_its_launcher_with_it(start, now):
    kernel = start()
    pid, launcher = int(kernel.run("import os; print(os.getpid())")), kernel.launcher
    kernel.manager.shutdown_kernel(now=now)
    assert ended(pid)
    assert launcher.wait(LONGEST) == (-signal.SIGKILL if now else 0)


def test_how_a_kernel_ends_is_how_its_launcher_ends(start):
    kernel = start()
    kernel.client.execute("import os; os._exit(3)")
    assert kernel.launcher.wait(LONGEST) == 3
