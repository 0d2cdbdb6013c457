"""A new workbench: until its frame is there, until it shows numbers, and until its picture is complete."""

import statistics
import time

from transformer_lens.model_bridge import TransformerBridge

from benchmarks import models
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import one_thread
from residscope import Experiment, HeadAttribution, Workbench
from residscope.experiment import source_of
from residscope.live.worker import Priority

FRAME = 0.3
"""Seconds within which a frame is there."""


def measure(scale: Scale) -> list[Row]:
    """Measure a workbench of a new experiment, at two lengths."""
    model = models.gpt2(scale.size)
    with one_thread():
        return [row for length in (scale.short, scale.medium) for row in _at(model, scale, length)]


def _at(model: TransformerBridge, scale: Scale, length: int) -> list[Row]:
    taken = [_once(model, models.prompt(scale.size, length, seed)) for seed in range(scale.repeats + 1)][1:]
    run, frame, numbers, picture = (statistics.median(times) for times in zip(*taken, strict=True))
    return [
        Row(f"a new workbench to its frame, {length} tokens", frame, "a moment", FRAME, "s", 1),
        Row(
            f"a new workbench to its first numbers, {length} tokens",
            numbers,
            "1.5 times the run and a moment",
            1.5 * run + FRAME,
            "s",
            1,
        ),
        Row(f"a new workbench to its complete picture, {length} tokens", picture, "its run", run, "s"),
    ]


def _once(model: TransformerBridge, prompt: list[int]) -> tuple[float, float, float, float]:
    """Return the CPU seconds of the run, and of all that has been done up to each stage of the workbench."""
    start = time.process_time()
    experiment = Experiment(model, prompt, (1, 2))
    own = time.thread_time()
    bench = Workbench(experiment)
    frame = time.thread_time() - own
    experiment.wait()
    run = time.process_time() - start - frame
    source = source_of(experiment)
    (heads,) = (view for view in bench.children if isinstance(view, HeadAttribution))
    source.showing(heads._still).wait_for_partial()
    numbers = time.process_time() - start
    source.ask("complete", lambda _ticket: None, Priority.STILL).wait()
    picture = time.process_time() - start
    bench.close()
    experiment.close()
    return run, frame, numbers, picture
