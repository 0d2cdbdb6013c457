"""The lines of the documentation run as they stand."""

import re
from pathlib import Path

import pytest
from anywidget import AnyWidget

import residscope as rs
from residscope.views.boxes import Box

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
        if hasattr(value, "close") and hasattr(value, "selection") and not isinstance(value, type):
            value.close()


def noun_of(view):
    """Return the noun that finds every file of a view."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", view.__name__).lower()


VIEWS = {
    view: ROOT / f"docs/views/{'box' if issubclass(view, Box) else noun_of(view)}.md"
    for view in (rs.TokenStrip, rs.HeadAttribution, rs.AttentionPattern, rs.HeadReadout, rs.LogitLens,
                 rs.LayerAttribution, rs.HeadGrid, rs.Row, rs.Column, rs.Workbench)
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_the_table_of_traits_on_a_views_page_is_that_of_its_class(view):
    table = re.search(r"^## Traits\n\n(\|.*?)\n\n", VIEWS[view].read_text(encoding="utf-8"), re.S | re.M)
    written = [row.split("|")[1].strip(" `") for row in table[1].splitlines()[2:]]
    inherited = AnyWidget.class_trait_names()
    public = [name for name in view.class_trait_names() if not name.startswith("_") and name not in inherited]
    assert sorted(written) == sorted(public)
    named = set(re.findall(r"selection\.(\w+)", table[1]))
    assert named <= rs.Selection._from_browser


def test_the_page_of_boxes_names_the_views_of_a_workbench_in_their_order():
    said = re.search(r"`Workbench` holds\n(.*?):(.*?)\.", VIEWS[rs.Workbench].read_text(encoding="utf-8"), re.S)[2]
    bench = rs.Workbench(rs.Experiment(rs.load_model("demo"), "When Mary and John", (" Mary", " John")))
    assert re.findall(r"`(\w+)`", said) == [type(view).__name__ for view in bench.children]
    bench.close()


def test_each_view_has_a_page_with_code():
    assert set((ROOT / "docs/views").glob("*.md")) <= set(PAGES)
