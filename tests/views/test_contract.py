"""Python traits and the TypeScript `type Model` have the same names; one noun finds every file of a view."""

import re
from pathlib import Path

import anywidget
import pytest

import residscope as rs
from residscope import views
from residscope.live import shared
from residscope.views.base import View
from residscope.views.boxes import Box

ROOT = Path(__file__).parents[2]
VIEWS = [getattr(views, name) for name in views.__all__ if issubclass(getattr(views, name), View)]
INHERITED = set(anywidget.AnyWidget.class_trait_names()) | {"_esm", "_css", "_anywidget_id"}


def synced(widget):
    return {name for name in widget.class_trait_names(sync=True) if name not in INHERITED}


def type_fields(source, name):
    """Return the names of an object type's own fields, and its whole definition."""
    definition, depth = "", 0
    for character in source[re.search(rf"\btype {name} = ", source).end() :]:
        depth += (character == "{") - (character == "}")
        if character == ";" and depth == 0:
            break
        definition += character
    flat = re.sub(r"/\*.*?\*/", "", definition, flags=re.S)
    while re.search(r"\{[^{}]*\{[^{}]*\}", flat):
        flat = re.sub(r"(\{[^{}]*)\{[^{}]*\}", r"\1", flat)
    return set(re.findall(r"(\w+)\??:", flat)), definition


STATE = (ROOT / "js/lib/state.ts").read_text(encoding="utf-8")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_a_views_traits_are_the_fields_of_its_type(view):
    source = (ROOT / f"js/views/{view._bundle_name}.tsx").read_text(encoding="utf-8")
    fields, body = type_fields(source, "Model")
    everywhere, _ = type_fields(STATE, "SharedTraits")
    assert "SharedTraits" in body
    # What the class's menus name, the kernel tells the browser.
    assert fields | everywhere | {*view._menus} == synced(view)
    assert {*view._menus} <= view._from_browser


def test_a_boxs_traits_are_the_fields_of_its_type():
    fields, _ = type_fields((ROOT / "js/views/box.tsx").read_text(encoding="utf-8"), "Model")
    assert fields == synced(Box)


@pytest.mark.parametrize(("python", "typescript"), [("Selection", "SelectionState"), ("Status", "StatusState")])
def test_the_shared_models_have_the_fields_of_their_types(python, typescript):
    fields, _ = type_fields(STATE, typescript)
    assert fields == synced(getattr(shared, python))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_one_noun_finds_every_file(view):
    noun = re.sub(r"(?<!^)(?=[A-Z])", "_", view.__name__).lower()
    assert view._bundle_name in (noun, View._bundle_name)
    for path in (f"src/residscope/views/{noun}.py", f"js/views/{view._bundle_name}.tsx", f"tests/page/test_{noun}.py"):
        assert (ROOT / path).is_file(), path
    page = (ROOT / f"docs/views/{noun}.md").read_text(encoding="utf-8")
    assert view.__name__ in page


OF_EVERY_VIEW = {"closed", "experiment", "from_quantities", "help", "quantities", "selection", "status", "title"}
OF_EVERY_VIEW |= {"to_frame", "to_plotly", "to_png", "to_svg", "trace"}
OF_A_BOX = {"children", "closed", "to_png", "to_svg"}
OF_ONE = {
    rs.TokenStrip: {"colour", "from_arrays"},
    rs.HeadAttribution: {"colour", "from_arrays", "off", "scores_on"},
    rs.AttentionPattern: {"colour", "from_arrays", "hide_first", "to_circuitsvis"},
    rs.HeadReadout: {"from_arrays"},
    rs.LogitLens: {"from_arrays"},
    rs.LayerAttribution: {"from_arrays"},
    rs.HeadGrid: {"from_arrays", "shown", "sort"},
}


@pytest.mark.parametrize("view", [rs.View, *VIEWS, rs.Row, rs.Column, rs.Workbench], ids=lambda view: view.__name__)
def test_tab_shows_what_a_user_needs_and_nothing_else(view):
    shown = {name for name in dir(view) if not name.startswith("_")} - {*dir(anywidget.AnyWidget)}
    assert shown == (OF_A_BOX if issubclass(view, Box) else OF_EVERY_VIEW | OF_ONE.get(view, set()))
    # A docstring under a trait is no attribute of its own.
    plain = {"children", "help", "title"} | set(view.class_trait_names())
    assert all(getattr(view, name).__doc__ for name in shown - plain)


def test_what_a_view_is_made_of_is_hidden_too(experiment):
    view, bare = rs.HeadAttribution(experiment), anywidget.AnyWidget()
    made = {name for name in {*vars(view)} - {*vars(bare)} if not name.startswith("_")}
    bare.close()
    assert made == set()
