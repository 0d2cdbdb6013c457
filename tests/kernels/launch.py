"""What Jupyter starts as a kernel: asks the fork server for one, passes signals on, and ends as it ends."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

address, *arguments = sys.argv[1:]
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect(address)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: server.send(bytes([number])))
    request = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
    status = server.recv(1)
sys.exit(status[0] if status else "the fork server has ended")
