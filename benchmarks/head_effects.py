"""All heads' direct effects on a logit difference, from activations that are there already."""

import itertools

import torch
from torch import Tensor
from transformer_lens import ActivationCache
from transformer_lens.model_bridge import TransformerBridge

from benchmarks import memory, models
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import Prepared, medians, one_thread
from residscope.inputs.reader import Reader
from residscope.inputs.target import Answer, Target
from residscope.models import Recording, Terms, record, twin_of
from residscope.runs.decomposition import attention_effects
from residscope.runs.direction import carry_back, direction_of
from residscope.runs.trace import Trace

THEIRS = "TransformerLens: `stack_head_results`, last position, and project"


def measure(scale: Scale) -> list[Row]:
    """Measure new answers, the same answers on a new prompt, the whole call, memory, and the look at the model."""
    model = models.gpt2(scale.size, processed=True)
    with one_thread():
        rows = [
            *_at(model, scale, scale.medium, new=1 / 7, same=1 / 70, call=1 / 5),
            *_at(model, scale, scale.long, new=1 / 20, same=None, call=1 / 15),
            _look(model, scale),
        ]
    return rows


def _look(model: TransformerBridge, scale: Scale) -> Row:
    def look() -> None:
        with twin_of(model).use():
            pass

    def walk() -> None:
        for root in (model, model.original_model):
            list(root.modules())

    time = medians({"look": Prepared(look), "walk": Prepared(walk)}, scale.repeats)
    against = "`list(model.modules())`, of the bridge and of the model in it"
    return Row("the look whether the model has changed", time["look"], against, time["walk"], "s", 1.0)


def _at(
    model: TransformerBridge, scale: Scale, length: int, *, new: float, same: float | None, call: float
) -> list[Row]:
    ids = models.prompt(scale.size, length)
    with torch.no_grad():
        _, cache = model.run_with_cache(torch.tensor([ids]))
    others = itertools.count(3)
    inputs = Reader(model).parse(ids, (1, 2), None, None)
    # A trace remembers, so each time needs one of its own.
    traces = [Trace(model, inputs) for _ in range(scale.repeats + 1)]
    with twin_of(model).use() as twin:
        recording = record(twin, torch.tensor([ids]), Terms.one_a_row(torch.tensor([length - 1])), keep_patterns=False)
        weights = twin_of(model).weights

        def ours(right: int) -> Tensor:
            return effects(twin, recording, target_of(length - 1, right, 2), weights)

        def fresh() -> None:
            ours(3 + next(others) % (scale.size.d_vocab - 3))

        apart = (ours(1).flatten() - _theirs(model, cache, 1, 2)).abs().max()
        if not apart < 1e-5:
            raise AssertionError(f"the two give different numbers: {float(apart):.2g} apart")
        time = medians(
            {
                "theirs": Prepared(lambda: _theirs(model, cache, 1, 2)),
                "new": Prepared(fresh),
                "same": Prepared(lambda: ours(1), before=lambda: ours(1)),
            },
            scale.repeats,
        )
        room = {"theirs": memory.peak(lambda: _theirs(model, cache, 1, 2)), "new": memory.peak(fresh)}
    whole = medians({"whole": Prepared(lambda: traces.pop().head_attribution())}, scale.repeats)["whole"]
    at = f"at {length} tokens"
    return [
        Row(f"all heads' direct effects, new answers, {at}", time["new"], THEIRS, time["theirs"], "s", new),
        Row(f"the same answers on the next prompt, {at}", time["same"], THEIRS, time["theirs"], "s", same),
        Row(f"`trace.head_attribution()` on the next prompt, {at}", whole, THEIRS, time["theirs"], "s", call),
        Row(f"memory, new answers, {at}", room["new"], THEIRS, room["theirs"], "B", 1 / 10),
    ]


def effects(model: TransformerBridge, run: Recording, target: Target, weights: bytes) -> Tensor:
    """Return what the library computes of a recorded run: [layer row head]."""
    carried = carry_back(model, direction_of(model, run, target).vector, weights)
    heads, _ = attention_effects(run, carried, run.scale.to(carried.u)[:, 0])
    return heads


def target_of(position: int, right: int, wrong: int) -> Target:
    """Return the difference of two tokens' logits."""
    return Target((position,), (Answer((right,), "right"),), (Answer((wrong,), "wrong"),))


def _theirs(model: TransformerBridge, cache: ActivationCache, right: int, wrong: int) -> Tensor:
    # It keeps its results in the cache, which must not answer the next time.
    own = ActivationCache(dict(cache.cache_dict), model)
    with torch.no_grad():
        stack = own.stack_head_results(layer=-1, pos_slice=-1, apply_ln=True)[:, 0]
        return stack @ (model.W_U[:, right] - model.W_U[:, wrong])
