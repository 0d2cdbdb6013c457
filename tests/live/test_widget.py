"""A thousand messages that no front end of ours would send: each is taken or answered, and nothing breaks."""

import logging
import math
import sys

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import residscope as rs
from residscope import views
from residscope.views.base import View
from tests import tiny
from tests.frontend import FrontEnd
from tests.settled import settle

PROMPT = "When Mary and John went to the store, John gave a drink to"
SHORT = "Tom met Anna at the park"
VIEWS = [getattr(views, name) for name in views.__all__ if issubclass(getattr(views, name), View)]
MESSAGES = 1000


def nested(depth):
    value = {}
    for level in range(depth - 1):
        value = {"a": value} if level % 2 else [value]
    return {"a": value}


WHOLE = st.integers(-3, 20) | st.sampled_from([2**31 - 1, 2**31, -(2**63), 10**400])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    WHOLE,
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, 3.0, "3", "1.2", "L2H5", "\ud800", "\x00", "x" * 2_000_000]),
    st.text(max_size=20),
    st.binary(max_size=8),
)
JUNK = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)
HEADS = st.lists(WHOLE, min_size=1, max_size=3)
TEXTS = st.sampled_from([PROMPT, SHORT, "", " ", "a\x00b", "\ud800", "<b>", "x" * 10_000, 3, None])
EDITS = st.fixed_dictionaries(
    {"id": SCALARS},
    optional={
        "prompts": st.lists(TEXTS, max_size=2) | JUNK,
        "answers": st.lists(st.lists(TEXTS, max_size=3), max_size=2) | JUNK,
        "prefill": st.lists(TEXTS, max_size=2) | JUNK,
        "more": JUNK,
    },
)
KEYS = st.sampled_from(
    [
        "card/0/L1H1/3",
        "pattern/0/L1H2/direct effect",
        "map/0/L1H0",
        "cells/0/0/4",
        "cells/9/3/1",
        "pattern/0/L99H9/attention",
        "",
    ]
)
QUESTIONS = st.fixed_dictionaries({"id": WHOLE, "run": WHOLE, "keys": st.lists(KEYS | SCALARS, max_size=4)})
NAMED = st.sampled_from(["row", "depth", "head", "position", "key", "pinned", "show", "_lock"])
SELECTED = st.dictionaries(NAMED, JUNK | HEADS)
MIRRORS = st.fixed_dictionaries(
    {}, optional={"selection": SELECTED | JUNK, "status": st.dictionaries(st.sampled_from(["run", "_cancel"]), JUNK)}
)
CHOICES = st.sampled_from(["none", "attention", "direct effect", "value-weighted", "induction", "random repeats", ""])
DEEP = st.sampled_from([5, 20, 90, 900, 970, 5000]).map(nested)
HUGE = st.sampled_from([10_000_000]).map("x".__mul__)
PINS = st.lists(st.text(max_size=5) | st.sampled_from(["L1H2", "L0.attn", "L99H0"]))
VALUES = st.one_of(JUNK, HEADS, EDITS, QUESTIONS, MIRRORS, CHOICES, PINS, DEEP, HUGE)
LAYERS = st.sampled_from(["selected layer", "pinned heads", "layer 1", "layer 99", "layer -1", "head", "direct effect"])
PLACES = st.fixed_dictionaries({"id": SCALARS, "to": WHOLE | SCALARS})
FITTING = {
    "_edit": EDITS,
    "_go": PLACES,
    "_mirror": MIRRORS,
    "_ask": QUESTIONS,
    "colour": CHOICES,
    "head": HEADS,
    "pinned": PINS,
    "show": st.sampled_from(["now", "before", "change", "after"]),
    "shown": LAYERS,
    "sort": LAYERS | CHOICES,
}
NAMES = ["_esm", "_css", "_data", "_model_name", "_view_module", "layout", "selection", "status", "children", "comm"]


class World:
    """One experiment with every view, in two pages."""

    def __init__(self, monkeypatch):
        self.pages = FrontEnd(monkeypatch)
        self.experiment = rs.Experiment(tiny.bridge("llama"), PROMPT, (" Mary", " John"))
        self.views = [view(self.experiment) for view in VIEWS]
        boxes = [rs.Row(self.views), rs.Column([]), rs.Workbench(self.experiment)]
        self.widgets = [self.experiment.selection, self.experiment.status, *self.views, *boxes]

    def settle(self):
        """Wait until the worker has done what the last message asked for, and what came of that."""
        settle(self.experiment)


@st.composite
def messages(draw, widgets):
    """Draw a widget and what it is told: half of it by names that the browser may write, half of any."""
    widget = draw(st.sampled_from(widgets))
    own = st.sampled_from(sorted(widget._from_browser or widget.keys))
    any_name = st.sampled_from([*sorted(widget.keys), *NAMES]) | st.text(max_size=8)
    names = draw(st.lists(own | any_name, min_size=1, max_size=3))
    return widget, {name: draw(FITTING.get(name, WHOLE) | VALUES) for name in names}


def is_valid(widget):
    traits = widget.traits()
    return all(traits[name]._validate(widget, getattr(widget, name)) is not Ellipsis for name in widget.keys)


def test_any_message_is_taken_or_answered_with_the_true_value(monkeypatch, caplog):
    world = World(monkeypatch)
    untouchable = [(widget._esm, widget._css, widget.layout, widget._model_name) for widget in world.widgets]

    @settings(
        max_examples=MESSAGES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # a message fails in the state that those before it made
        suppress_health_check=list(HealthCheck),
    )
    @given(messages(world.widgets))
    def send(drawn):
        widget, message = drawn
        world.pages.says(widget, message)
        world.settle()
        for one in world.widgets:
            assert is_valid(one)
            assert world.pages.differences(one) == []

    with caplog.at_level(logging.ERROR):
        send()
    assert caplog.records == []
    assert untouchable == [(widget._esm, widget._css, widget.layout, widget._model_name) for widget in world.widgets]
    world.experiment.update(prompts=SHORT, answers=(" Tom", " Anna"))
    number = world.experiment.trace.number
    world.settle()
    assert world.experiment.status._error is None
    assert [view._shown for view in world.views] == [number] * len(world.views)
    world.experiment.close()


def test_a_message_of_any_depth_is_taken_or_answered_with_the_true_value(monkeypatch):
    world = World(monkeypatch)
    limit = sys.getrecursionlimit()
    for depth in (*range(1, 30), *range(limit - 120, limit + 2)):
        for view in world.views:
            for name in FITTING.keys() & view._from_browser:
                world.pages.says(view, {name: nested(depth)})
                world.settle()
                assert world.pages.differences(view) == []
    world.experiment.close()
