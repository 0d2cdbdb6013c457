"""Every number on a graphics card and in 16 bits, against float32 on the CPU on the very same weights.

Where there is no card the same tests run on the CPU, so that what they compare is known to be right.
"""

import gc

import pytest
import torch

import residscope as rs
from residscope import Trace
from residscope.analysis.scores import KINDS
from residscope.inputs.reader import Reader
from tests import architectures, tiny

TOLERANCES = {torch.float32: 2e-5, torch.float16: 0.05, torch.bfloat16: 0.15}
"""How far a number may be off, as a share of the largest of its kind: twice what the CPU's own arithmetic is off."""

PLACES = [
    pytest.param(device, dtype, id=f"{device}-{str(dtype).removeprefix('torch.')}", marks=marks)
    for device, marks in (("cpu", ()), ("cuda", pytest.mark.gpu))
    for dtype in TOLERANCES
    if (device, dtype) != ("cpu", torch.float32)
]

NAMES = ("GPT-2", "Llama", "Gemma-2")
"""Plain; grouped heads; norms after attention and a soft cap."""


def numbers(trace):
    """Return every number that a run gives, by name, in float32 on the CPU."""
    lens = trace.logit_lens(3)
    values = {
        "logits": trace.logits,
        "target": trace.target_value,
        "head attribution": trace.head_attribution(),
        "component attribution": trace.component_attribution().values,
        "token attribution": trace.token_attribution(),
        "target curve": trace.target_curve(),
        "lens target": lens.target_value,
        "entropy": lens.entropy,
        "top probabilities": lens.top_probs,
        **{f"score: {kind}": trace.head_scores(kind) for kind in KINDS},
    }
    for layer in range(trace.n_layers):
        values[f"attention {layer}"] = trace.attention(layer)
        values[f"value-weighted {layer}"] = trace.value_weighted(layer)
        values[f"source split {layer}"] = trace.source_split(layer)
    return {name: value.float().cpu() for name, value in values.items()}


def trace_of(model, kind=(" Mary", " John")):
    return Trace(model, Reader(model).parse(tiny.PROMPTS, kind, None, None))


@pytest.mark.parametrize(("device", "dtype"), PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_that_of_float32_on_the_cpu(name, device, dtype):
    # Both hold the weights as that type has them, so that only the arithmetic differs.
    here = architectures.build(name, dtype=dtype).to(device)
    reference = architectures.build(name, dtype=dtype).to(torch.float32)
    trace = trace_of(here)
    assert trace.logits.device.type == device
    got, expected = numbers(trace), numbers(trace_of(reference))
    for what, value in expected.items():
        assert (value.isnan() == got[what].isnan()).all(), what
        apart = (got[what] - value).nan_to_num().abs().max()
        assert apart <= TOLERANCES[dtype] * value.nan_to_num().abs().max(), f"{what}: {float(apart):.3g} off"


@pytest.mark.parametrize(("device", "dtype"), PLACES)
@pytest.mark.parametrize("kind", [(" Mary", " John"), " Mary"], ids=["difference", "log-probability"])
def test_its_own_checks_hold(kind, device, dtype):
    # The last has sinks, and experts, whose choice another arithmetic may turn: only its sums can be compared.
    for name in (*NAMES, "gpt-oss"):
        trace = trace_of(architectures.build(name, dtype=dtype).to(device), kind)
        for checks in (trace.sum_check(), trace.layer_check(), trace.logit_lens(3).checks):
            assert [check.reason for check in checks] == ["", ""], name


@pytest.mark.gpu
def test_a_closed_experiment_gives_its_memory_back():
    model = architectures.build("Llama").to("cuda")

    def shown():
        experiment = rs.Experiment(model, tiny.PROMPTS, (" Mary", " John"))
        views = [rs.HeadAttribution(experiment), rs.AttentionPattern(experiment), rs.LogitLens(experiment)]
        experiment.wait()
        for view in views:
            view.to_svg()
            view.close()
        experiment.close()

    shown()  # what stays by design: the twin, and what is read of the weights once
    gc.collect()
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        shown()
    gc.collect()
    assert torch.cuda.memory_allocated() == before


@pytest.mark.gpu
def test_a_step_of_the_slider_waits_for_no_card():
    experiment = rs.Experiment(architectures.build("Llama").to("cuda"), tiny.PROMPTS, (" Mary", " John"))
    rs.Workbench(experiment)
    experiment.wait()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for depth in range(len(experiment.trace.depths)):
            experiment.selection.update(depth=depth)
    finally:
        torch.cuda.set_sync_debug_mode("default")
