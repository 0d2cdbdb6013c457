"""What residscope costs on a graphics card: `make bench-gpu`, or `python -m benchmarks.gpu`; it takes minutes.

Times are wall-clock time with the card's queue emptied before and after: medians, of what is measured in turns.
"""

import gc
import sys
import time
from collections.abc import Callable

import torch
from transformer_lens import ActivationCache
from transformer_lens.model_bridge import TransformerBridge

from benchmarks import models, page
from benchmarks.lens import TOP
from benchmarks.rows import Row
from benchmarks.scale import FULL, Scale, Size
from benchmarks.timing import Prepared, medians
from residscope.inputs.reader import Reader
from residscope.models import Terms, record, twin_of
from residscope.runs.lens import read_cells
from residscope.runs.trace import Trace

LARGE = Size(layers=24, heads=16, d_model=2048, d_vocab=151936)
"""About Qwen1.5-1.8B's, with its large vocabulary."""

TYPES = (torch.float32, torch.bfloat16)
FORWARD = "one plain forward"
CACHED = "TransformerLens: `run_with_cache`, `stack_head_results`, last position"
UNEMBEDDED = "unembedding the same vectors"


def measure(scale: Scale, size: Size, device: str) -> list[Row]:
    """Measure a run with all heads' effects, and the lens, in each type and at two lengths."""
    rows = []
    for dtype in TYPES:
        # TransformerLens' tools, which it is compared with, refuse raw weights.
        model = models.gpt2(size, processed=True).to(device, dtype, print_details=False)
        for length in (scale.medium, scale.long):
            what = f"{size.layers} layers, {str(dtype).removeprefix('torch.')}, {length} tokens"
            rows += [*_run(model, scale, size, length, what), *_lens(model, scale, size, length, what)]
        del model
        gc.collect()
    return rows


def _run(model: TransformerBridge, scale: Scale, size: Size, length: int, what: str) -> list[Row]:
    ids = models.prompt(size, length)
    tokens = torch.tensor([ids], device=model.cfg.device)
    inputs = Reader(model).parse(ids, (1, 2), None, None)

    def ours() -> None:
        trace = Trace(model, inputs)
        trace.head_attribution()
        trace.sum_check()

    def plain() -> None:
        with torch.no_grad():
            model(tokens)

    def theirs() -> None:
        with torch.no_grad():
            _, cache = model.run_with_cache(tokens)
            stack = ActivationCache(cache.cache_dict, model).stack_head_results(layer=-1, pos_slice=-1, apply_ln=True)
            (stack[:, 0] @ (model.W_U[:, 1] - model.W_U[:, 2]).to(stack.dtype)).tolist()

    runs = {"ours": Prepared(ours), "plain": Prepared(plain), "theirs": Prepared(theirs)}
    taken = medians(runs, scale.few, _clock(tokens.device))
    run = f"a run, all heads' direct effects and the sum check, {what}"
    return [
        Row(run, taken["ours"], FORWARD, taken["plain"], "s", 1.3),
        Row(run, taken["ours"], CACHED, taken["theirs"], "s"),
    ]


def _lens(model: TransformerBridge, scale: Scale, size: Size, length: int, what: str) -> list[Row]:
    tokens = torch.tensor([models.prompt(size, length)], device=model.cfg.device)
    with twin_of(model).use() as twin:
        last = Terms.one_a_row(torch.tensor([length - 1], device=tokens.device))
        resid = record(twin, tokens, last, keep_patterns=False).resid[:, 0]

        def ours() -> None:
            read_cells(twin, resid, size.d_vocab, TOP, lambda _done, _of: None)

        def theirs() -> None:
            # A depth at a time: the logits of all at once fill a card.
            for depth in resid:
                twin.unembed(twin.ln_final(depth[None]))

        taken = medians({"ours": Prepared(ours), "theirs": Prepared(theirs)}, scale.few, _clock(tokens.device))
    return [Row(f"the lens of all depths and positions, {what}", taken["ours"], UNEMBEDDED, taken["theirs"], "s", 1.3)]


def _clock(device: torch.device) -> Callable[[], float]:
    """Return a clock that waits for all that is queued on the device."""
    if device.type != "cuda":
        return time.perf_counter

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return clock


def main() -> None:
    """Measure on the first graphics card and print the table."""
    if not torch.cuda.is_available():
        sys.exit("no graphics card here: `make bench` measures on the CPU")
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}", flush=True)
    for size in (FULL.size, LARGE):
        print(page.table(measure(FULL, size, "cuda")), flush=True)


if __name__ == "__main__":
    main()
