"""How long something takes: medians of CPU time, what is compared measured in turns.

Other programs on a machine change wall-clock time several times over, CPU time a little, and the ratio of two medians
measured in turns least.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import torch

Run = Callable[[], object]


@dataclass(frozen=True)
class Prepared:
    """Something to time, and what must be done before each time."""

    run: Run
    before: Run = lambda: None


def medians(
    runs: Mapping[str, Prepared], repeats: int, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Return the median seconds of each, of CPU time of all threads unless told otherwise; the first does not count."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, one in runs.items():
            one.before()
            start = clock()
            one.run()
            took = clock() - start
            if repeat:
                taken[name].append(took)
    return {name: statistics.median(times) for name, times in taken.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: what a second one does while it waits counts as CPU time, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def starts(codes: Mapping[str, str], repeats: int) -> dict[str, float]:
    """Return the median CPU seconds of a fresh Python that runs each code, its modules compiled before."""
    with TemporaryDirectory() as compiled:
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment = kept | {"PYTHONPYCACHEPREFIX": compiled, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        taken: dict[str, list[float]] = {name: [] for name in codes}
        for repeat in range(repeats + 1):
            for name, code in codes.items():
                seconds = _start(code, environment)
                if repeat:
                    taken[name].append(seconds)
    return {name: statistics.median(times) for name, times in taken.items()}


def _start(code: str, environment: Mapping[str, str]) -> float:
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"a Python that was to be timed failed: {code}")
    return used.ru_utime + used.ru_stime
