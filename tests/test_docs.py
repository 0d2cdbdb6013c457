"""The lines of the documentation run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["docs/coming_from.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs/views").glob("*.md")))]


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.S | re.M)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_on_a_page_runs(page):
    names = {}
    for block in blocks(page):
        exec(compile(block, page, "exec"), names)
    for value in names.values():
        if hasattr(value, "close") and hasattr(value, "selection"):
            value.close()


def test_each_view_has_a_page_with_code():
    assert all(blocks(page) for page in PAGES)
