"""The logit lens of all depths and positions."""

import torch

from benchmarks import memory, models
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import Prepared, medians, one_thread
from residscope.models import Terms, record, twin_of
from residscope.runs.lens import read_cells

TOP = 10


def measure(scale: Scale) -> list[Row]:
    """Measure time and memory against the final norm and the unembedding of the same vectors at once."""
    length, d_vocab = scale.medium, scale.size.d_vocab
    tokens = torch.tensor([models.prompt(scale.size, length)])
    model = models.gpt2(scale.size)  # of which a twin takes no hold
    with one_thread(), twin_of(model).use() as twin:
        resid = record(twin, tokens, Terms.one_a_row(torch.tensor([length - 1])), keep_patterns=False).resid[:, 0]

        def lens() -> None:
            read_cells(twin, resid, d_vocab, TOP, lambda _done, _of: None)

        def unembed() -> None:
            twin.unembed(twin.ln_final(resid.flatten(0, 1)[None]))

        time = medians({"ours": Prepared(lens), "theirs": Prepared(unembed)}, scale.few)
        room = memory.peak(lens), memory.peak(unembed)
    what = f"the lens of {len(resid)} depths and {length} positions"
    against = "unembedding the same vectors"
    return [
        Row(f"{what}: top {TOP}, their probabilities, entropy", time["ours"], against, time["theirs"], "s", 1.3),
        Row(f"memory of {what}", room[0], against, room[1], "B", 1 / 10),
    ]
