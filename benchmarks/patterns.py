"""The attention of all heads of a layer, shown from arrays."""

import statistics

import numpy as np
import torch
from circuitsvis.attention import attention_heads
from playwright.sync_api import Browser

from benchmarks import browser
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import Prepared, medians
from residscope import AttentionPattern, HeadGrid

HEADS = 16
THEIRS = "circuitsvis `attention_heads`"


def measure(scale: Scale) -> list[Row]:
    """Measure how long the kernel and the page work to show random causal patterns, and what is sent of them."""
    length = scale.medium
    weights = np.tril(np.random.default_rng(0).random((HEADS, length, length), dtype=np.float32))
    weights /= weights.sum(-1, keepdims=True)
    tokens, tensor = [f"word{position}" for position in range(length)], torch.from_numpy(weights)

    def ours() -> AttentionPattern:
        return AttentionPattern.from_arrays(weights, tokens)

    def theirs() -> str:
        # What it shows without a network: its script is in it.
        return str(attention_heads(attention=tensor, tokens=tokens).local_src)

    kernel = medians({"ours": Prepared(ours), "theirs": Prepared(theirs)}, scale.few)
    pages = {"theirs": theirs()}
    for name, view in (("ours", ours()), ("grid", HeadGrid.from_arrays(weights, tokens))):
        pages[name] = browser.page_of(view, [view.selection, view.status])
    with browser.opened() as chromium:
        work: dict[str, list[float]] = {name: [] for name in pages}
        for _ in range(min(scale.few, 3)):
            for name, html in pages.items():
                work[name].append(_shown(chromium, html))
    page = {name: statistics.median(times) for name, times in work.items()}
    sent = len(attention_heads(attention=tensor, tokens=tokens).cdn_src)
    what = f"{HEADS} heads at {length} tokens"
    return [
        Row(f"`AttentionPattern` of {what}, in the kernel", kernel["ours"], THEIRS, kernel["theirs"], "s", 1 / 3),
        Row(f"`AttentionPattern` of {what}, on the page", page["ours"], THEIRS, page["theirs"], "s", 1 / 3),
        Row(f"`HeadGrid` of {what}, on the page", page["grid"], THEIRS, page["theirs"], "s"),
        Row(
            f"what is sent of the patterns of {what}",
            len(ours()._data),
            f"{THEIRS}, its script apart",
            sent,
            "B",
            1 / 13,
        ),
    ]


def _shown(chromium: Browser, html: str) -> float:
    with browser.shown(chromium, html) as timed:
        timed.page.locator("canvas").first.wait_for(timeout=120_000)
        return timed.worked()
