"""How much room tensors take: at the most while something runs, or as long as they are kept."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor
from torch.profiler import ProfilerActivity, profile


def peak(run: Callable[[], object]) -> int:
    """Return the most bytes of tensors that stood at once and were not there before."""
    with TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            run()
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted((event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]")
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def held(tensors: Iterable[Tensor | None]) -> int:
    """Return the bytes that tensors keep, those that share them counted once."""
    storages = [tensor.untyped_storage() for tensor in tensors if tensor is not None]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
