"""A prompt is edited: until the arrays of all views but the lens are ready to be sent."""

import itertools

import torch
from transformer_lens.model_bridge import TransformerBridge

from benchmarks import models
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import Prepared, medians, one_thread
from residscope import (
    AttentionPattern,
    Experiment,
    HeadAttribution,
    HeadGrid,
    HeadReadout,
    LayerAttribution,
    TokenStrip,
)
from residscope.experiment import source_of
from residscope.live.worker import Priority

VIEWS = (TokenStrip, HeadAttribution, LayerAttribution, AttentionPattern, HeadReadout, HeadGrid)


def measure(scale: Scale) -> list[Row]:
    """Measure an edit at two lengths, in all views of the workbench but the lens."""
    model = models.gpt2(scale.size)
    with one_thread():
        return [_at(model, scale, length) for length in (scale.short, scale.medium)]


def _at(model: TransformerBridge, scale: Scale, length: int) -> Row:
    prompts = [models.prompt(scale.size, length, seed) for seed in (1, 2)]
    experiment = Experiment(model, prompts[0], (1, 2))
    experiment.selection.update(head=(0, 0))
    views = [view(experiment) for view in VIEWS]
    tokens, turns = torch.tensor([prompts[0]]), itertools.count(1)

    def forward() -> None:
        with torch.no_grad():
            model(tokens)

    def edit() -> None:
        experiment.update(prompts=prompts[next(turns) % 2])
        number = experiment.trace.number
        # The least urgent of all: this one after the views have been told.
        source_of(experiment).ask("all are told", lambda _ticket: None, Priority.STILL).wait()
        assert {view._shown for view in views} == {number}

    time = medians({"forward": Prepared(forward), "edit": Prepared(edit)}, scale.repeats)
    experiment.close()
    return Row(
        f"a prompt edit until all arrays are ready, lens apart, {length} tokens",
        time["edit"],
        "one plain forward",
        time["forward"],
        "s",
        1.3,
    )
