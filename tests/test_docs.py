"""The lines of the documentation run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_on_a_page_runs(page, request):
    names, code = {}, blocks(page)
    if "smollm2" in "".join(code):
        request.getfixturevalue("smollm2")
    for block in code:
        exec(compile(block, page, "exec"), names)
    if page.name == "caches.md":
        assert names["exp"].trace.cache_mismatch == "", "the mask that it makes keeps the BOS"
    for value in names.values():
        if hasattr(value, "close") and hasattr(value, "selection"):
            value.close()


def test_each_view_has_a_page_with_code():
    assert set((ROOT / "docs/views").glob("*.md")) <= set(PAGES)
