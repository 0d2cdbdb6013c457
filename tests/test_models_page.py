"""The table in docs/models.md: measured here, and written by `RESIDSCOPE_WRITE=1 pytest tests/test_models_page.py`."""

import os
import re
from pathlib import Path

from tests import architectures
from tests.test_architectures import ANOTHER_MODEL, EAGER_ONLY, UNPROCESSED, trace_of

PAGE = Path(__file__).parents[1] / "docs/models.md"
HEAD = """\
| architecture | weights | parts sum to target | parts of each layer | lens ends in output | heads, raw and processed |
|---|---|---|---|---|---|
"""


def share(checks):
    """Return the largest error as a share of what rounding explains."""
    return max(abs(getattr(check, "difference", getattr(check, "error", 0.0))) / check.tolerance for check in checks)


def row(name, weights, trace, heads):
    checks = (trace.sum_check(), trace.layer_check(), trace.logit_lens(3).checks)
    shares = " | ".join(f"{share(one):.2f}" for one in checks)
    return f"| {name} | {weights} | {shares} | {heads} |\n"


def table():
    text = HEAD
    for name in architectures.NAMES:
        raw = trace_of(architectures.build(name), "log-probability")
        if name in UNPROCESSED:
            text += row(name, "raw", raw, UNPROCESSED[name])
            continue
        processed = trace_of(architectures.build(name, processed=True), "log-probability")
        apart = (raw.head_attribution() - processed.head_attribution()).abs().max()
        relative = float(apart / raw.head_attribution().abs().max())
        heads = ANOTHER_MODEL.get(name, f"agree to {relative:.0e}")
        text += row(name, "raw", raw, heads) + row(name, "processed", processed, heads)
        if name not in EAGER_ONLY:
            by_sdpa = trace_of(architectures.build(name, attention="sdpa"), "log-probability")
            text += row(name, "raw, sdpa", by_sdpa, "")
    return text


def test_the_table_of_architectures_is_what_is_measured():
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEAD.splitlines()[0])
    after = rest[rest.index("\n\n") :]
    measured = table()
    if os.environ.get("RESIDSCOPE_WRITE"):
        PAGE.write_text(before + measured.rstrip("\n") + after, encoding="utf-8")
    written = PAGE.read_text(encoding="utf-8")[len(before) : -len(after)] + "\n"
    # Rounding differs between machines, so digits may; what passes and who is there may not.
    assert re.sub(r"\d", "#", written) == re.sub(r"\d", "#", measured)
    assert all(float(figure) <= 1 for figure in re.findall(r"\| (\d+\.\d\d) ", written))
