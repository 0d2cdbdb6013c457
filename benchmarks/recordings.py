"""What a run keeps."""

import torch

from benchmarks import memory, models
from benchmarks.rows import Row
from benchmarks.scale import Scale
from residscope.inputs.reader import Reader
from residscope.runs.trace import Trace


def measure(scale: Scale) -> list[Row]:
    """Measure what a trace keeps of a run, with the patterns that go to the browser ahead, at three lengths."""
    model = models.gpt2(scale.size)
    rows = []
    for length in (scale.short, scale.medium, scale.long):
        ids = models.prompt(scale.size, length)
        trace = Trace(model, Reader(model).parse(ids, (1, 2), None, None))
        with torch.no_grad():
            _, cache = model.run_with_cache(torch.tensor([ids]))
        ours = memory.held(value for value in vars(trace._recording).values() if isinstance(value, torch.Tensor))
        theirs = memory.held(value for value in cache.cache_dict.values() if isinstance(value, torch.Tensor))
        ahead, budget = ("with", 1 / 7) if trace.patterns_sent_with_run else ("without", 1 / 15)
        what = f"memory of a recorded run of {length} tokens, {ahead} all patterns"
        rows.append(Row(what, ours, "`run_with_cache` of all hooks", theirs, "B", budget))
    return rows
