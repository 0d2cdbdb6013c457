"""Each benchmark runs, on a size at which its figures mean nothing."""

import math
from contextlib import nullcontext

import pytest

from benchmarks import browser, cold_start, gpu, imports, page, timing
from benchmarks.rows import Row
from benchmarks.scale import QUICK
from benchmarks.subjects import SUBJECTS


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """Wait less, share the tests' Chromium, and start no Python that imports much."""

    def starts(codes, repeats):
        for code in codes.values():
            compile(code, "timed", "exec")
        return timing.starts(dict.fromkeys(codes, "pass"), repeats)

    monkeypatch.setattr(browser, "IDLE", 0.02)
    monkeypatch.setattr(browser, "opened", lambda: nullcontext(request.getfixturevalue("browser")))
    for module in (imports, cold_start):
        monkeypatch.setattr(module, "starts", starts)


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_runs_and_compares(name):
    rows = SUBJECTS[name](QUICK)
    assert rows
    for row in rows:
        assert math.isfinite(row.ratio), row.what
        assert row.ratio > 0, row.what


def test_what_a_graphics_card_is_measured_by_runs_without_one():
    rows = gpu.measure(QUICK, QUICK.size, "cpu")
    assert len({(row.what, row.against) for row in rows}) == len(rows) == 3 * 2 * len(gpu.TYPES)
    assert all(row.ours > 0 and row.theirs > 0 for row in rows)


def test_a_python_that_fails_is_not_timed():
    with pytest.raises(RuntimeError, match="raise SystemExit"):
        timing.starts({"it": "raise SystemExit(3)"}, 1)


def test_a_row_says_by_how_much_a_budget_is_missed():
    within = Row("one", 0.0012, "another", 0.012, "s", 1 / 8)
    beyond = Row("one", 3 * 2**20, "another", 2 * 2**20, "B", 1.2)
    assert within.cells() == ["one", "1.2 ms", "another", "12 ms", "1/10", "1/8", "yes"]
    assert beyond.cells() == ["one", "3 MB", "another", "2 MB", "1.50", "1.20", "no: 1.25 times the budget"]


def test_new_results_take_the_place_of_old_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.PAGE.write_text(f"before\n\n{page.BEGIN}\nold\n{page.END}\n\nafter\n")
    row = Row("one", 1, "another", 2, "s", 1)
    for _ in range(2):
        page.write([row], ["a machine"])
    text = page.PAGE.read_text()
    assert text.startswith("before\n\n")
    assert text.endswith("\n\nafter\n")
    assert text.count("- a machine") == text.count("| one |") == 1
    assert "old" not in text
