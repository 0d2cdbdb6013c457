"""Holds residscope imported, with torch and TransformerLens, and forks a Jupyter kernel for each launcher that asks.

Its argument is the number of a listening socket; it ends, and every kernel with it, when its standard input does.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import residscope

LATE_IMPORTS = ["transformer_lens", "transformers.models.llama.modeling_llama", "plotly.graph_objects"]
"""What residscope imports later than its own modules: with the first model or the first export."""


class Request(NamedTuple):
    """What a launcher was started with, which its kernel takes over."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]


class Forks:
    """The kernels by their launchers, and the loop that serves them."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.events = selectors.DefaultSelector()
        self.events.register(listener, selectors.EVENT_READ, self.fork)
        self.events.register(sys.stdin.fileno(), selectors.EVENT_READ, sys.exit)

    def serve(self) -> Request:
        """Serve for ever; return in each kernel that is forked."""
        while True:
            # One at a time: it may end what the next is about.
            (event, _), *_ = self.events.select()
            if request := event.data():
                return request

    def fork(self) -> Request | None:
        """Fork for the launcher that has just connected."""
        launcher, _ = self.listener.accept()
        said, streams, _, _ = socket.recv_fds(launcher, 1 << 20, 3)
        kernel = os.fork()
        if kernel == 0:
            launcher.close()
            self.let_go()
            os.setpgid(0, 0)
            return Request(**json.loads(said), streams=streams)
        # Here too, for a signal may come before the kernel has done it.
        os.setpgid(kernel, kernel)
        for stream in streams:
            os.close(stream)
        ended = os.pidfd_open(kernel)
        self.events.register(launcher, selectors.EVENT_READ, partial(self.signal, launcher, kernel, ended))
        self.events.register(ended, selectors.EVENT_READ, partial(self.bury, launcher, kernel, ended))
        return None

    def let_go(self) -> None:
        """Close in a kernel what is the server's alone: a launcher must see the server's end of its socket close."""
        for event in self.events.get_map().values():
            if isinstance(event.fileobj, socket.socket):
                event.fileobj.close()
        self.events.close()

    def signal(self, launcher: socket.socket, kernel: int, ended: int) -> None:
        """Pass a signal on; a launcher that was killed takes its kernel along."""
        number = launcher.recv(1)
        os.killpg(kernel, number[0] if number else signal.SIGKILL)
        if not number:
            self.bury(launcher, kernel, ended)

    def bury(self, launcher: socket.socket, kernel: int, ended: int) -> None:
        """Tell the launcher how its kernel has ended."""
        _, status = os.waitpid(kernel, 0)
        with suppress(OSError):
            launcher.send(bytes([os.waitstatus_to_exitcode(status) % 256]))
        self.events.unregister(launcher)
        self.events.unregister(ended)
        launcher.close()
        os.close(ended)


def become_kernel(request: Request) -> None:
    """Run what `python -m ipykernel_launcher` would, where and with what the launcher was started."""
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv[1:] = request.arguments
    IPKernelApp.launch_instance(request.arguments, parent_handle=os.getppid())


if __name__ == "__main__":
    from ipykernel.kernelapp import IPKernelApp

    for name in residscope.__all__:
        getattr(residscope, name)
    for name in LATE_IMPORTS:
        importlib.import_module(name)
    gc.collect()
    # A collection in a kernel would copy each page that it looks at.
    gc.freeze()
    print("ready", flush=True)
    become_kernel(Forks(socket.socket(fileno=int(sys.argv[1]))).serve())
