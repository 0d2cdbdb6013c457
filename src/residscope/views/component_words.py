"""The names of a model's parts in words, and what the parts of each kind add up to."""

import math
import re
from collections.abc import Sequence

from residscope.export.words import number
from residscope.views.templates import WORDS, fill

_IN_LAYER = re.compile(r"L(\d+)\.(.+)")


def subject_of(name: str) -> str:
    """Say "Layer 3's attention", "The embedding"; a part without words keeps its name."""
    layer, part = _split(name)
    noun = WORDS["parts"].get(part, [part])[0]
    return noun if layer is None else fill("part_of_layer", layer=layer, part=noun)


def together_of(names: Sequence[str], values: Sequence[float]) -> str:
    """Say what the parts of each kind add up to."""
    totals: dict[str, float] = {}
    for name, value in zip(names, values, strict=True):
        if math.isnan(value):
            continue
        group = WORDS["parts"].get(_split(name)[1], ["", name])[1]
        totals[group] = totals.get(group, 0.0) + value
    *first, embedding, biases = WORDS["groups"]
    if embedding in totals and biases in totals:
        both = fill("and", one=embedding, other=biases)
        totals[both] = totals.pop(embedding) + totals.pop(biases)
        order = [*first, both]
    else:
        order = WORDS["groups"]
    kinds = [group for group in order if group in totals]
    kinds += [group for group in totals if group not in kinds]
    return ", ".join(fill("together", group=kind, sum=number(totals[kind], sign=True)) for kind in kinds)


def _split(name: str) -> tuple[str | None, str]:
    match = _IN_LAYER.fullmatch(name)
    return (match[1], match[2]) if match else (None, name)
