"""The views for everyone: what axe finds in every state, themes, the keyboard, and what is said aloud."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .conftest import ROOT, saved, set_state
from .samples import SAMPLES
from .states import CHOSEN, STATES, VIEWS, WITH_TOOLTIPS, of, point
from .test_box import box

AXE = ROOT / "node_modules/axe-core/axe.min.js"
LAB_THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"

# JupyterLab names its colours on the page; other pages leave them to the views.
THEMES = {
    "JupyterLab light": LAB_THEMES / "theme-light-extension/index.css",
    "JupyterLab dark": LAB_THEMES / "theme-dark-extension/index.css",
    "light": "",
    "dark": "",
}
IN_LAB = list(THEMES)[:2]
WITH_COLOURS_OF_THEIR_OWN = ["current", "stale", "error", "failed check"]

WEAR = """
async ([name, css]) => {
  const style = document.getElementById("theme") ?? document.createElement("style");
  style.id = "theme";
  style.textContent = css;
  document.head.append(style);
  document.body.dataset.jpThemeName = name;
}
"""
FIND = """
async ([names, rules]) => {
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: { type: "rule", values: rules } }) };
  const places = names.map((name) => `[data-model='${name}']`);
  const { violations } = await axe.run({ include: places }, options);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
}
"""


FOLLOWED = """
(kind) => {
  const named = getComputedStyle(document.body).getPropertyValue("--jp-layout-color0");
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.background = named;
  const page = getComputedStyle(named ? probe : document.body).backgroundColor;
  probe.remove();
  return [...document.querySelectorAll(".rs-view")].every(
    (view) => view.dataset.theme === kind && getComputedStyle(view).backgroundColor === page,
  );
}
"""


def wear(page, name):
    """Put the page into a theme, and wait until the views follow."""
    kind = "dark" if "dark" in name else "light"
    page.emulate_media(color_scheme=kind)
    css = THEMES[name]
    page.evaluate(WEAR, [name, css.read_text() if css else ""])
    page.wait_for_function(FOLLOWED, arg=kind)


@pytest.mark.parametrize("name", STATES)
def test_axe_finds_nothing_serious(open_views, name):
    state = STATES[name]
    page = open_views(state.models(*state.views()), height=900, kernel=state.kernel)
    page.add_script_tag(path=AXE)
    found = []
    for names in state.enter(page):
        for theme in THEMES if name in WITH_COLOURS_OF_THEIR_OWN else IN_LAB:
            wear(page, theme)
            # All that another theme changes is colours.
            rules = None if theme == IN_LAB[0] else ["color-contrast"]
            found += [f"{theme}: {one}" for one in page.evaluate(FIND, [names, rules])]
    assert found == [], "\n".join(found)


def test_every_view_is_among_the_states():
    assert VIEWS.keys() == {name.split()[0] for name in SAMPLES}


def test_axe_finds_nothing_serious_in_a_box(open_views):
    names = ["head_attribution", "logit_lens"]
    row = box("row", [*names, "gone"], "column")
    page = open_views([*STATES["current"].models(*names), row], shown=["row"])
    page.get_by_text("This view cannot be shown here").wait_for()
    page.add_script_tag(path=AXE)
    for theme in IN_LAB:
        wear(page, theme)
        assert page.evaluate(FIND, [["row"], None]) == []


# Text that reads, and what shows where the keyboard and the selection are.
CONTRASTS = {
    **dict.fromkeys(("ink", "soft", "error", "amber", "right", "wrong"), 4.5),
    "accent": 3,
}
READ_CONTRASTS = """
(names) => {
  const view = document.querySelector(".rs-view");
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const style = getComputedStyle(view);
  const luminance = (colours) => {
    for (const colour of colours) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    const linear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((one) => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = style.backgroundColor;
  return Object.fromEntries(names.map((name) => {
    const [dark, light] = [luminance([page]), luminance([page, style.getPropertyValue(`--rs-${name}`)])].sort();
    return [name, (light + 0.05) / (dark + 0.05)];
  }));
}
"""


def test_inks_and_rings_stand_out_from_the_page_in_every_theme(open_views):
    page = open_views(STATES["current"].models("head_attribution"))
    for theme in THEMES:
        wear(page, theme)
        found = page.evaluate(READ_CONTRASTS, list(CONTRASTS))
        assert {name: ratio for name, ratio in found.items() if ratio < CONTRASTS[name]} == {}, theme


# What the Tab key leads to in each view, in order: one stop for each map, however many cells it has.
TAB_STOPS = {
    "token_strip": ["about Prompt", "menu", "tokens", "colour", "examples", "edit"],
    "head_attribution": [
        *("about Heads", "menu", "colour", "direct effect of each head, 4 layers by 8 heads"),
        *("L3H6+2.12", "L2H6+1.29", "L2H7+1.01", "L3H0−2.71", "L3H1−1.89", "L0H3−1.30"),
    ],
    "layer_attribution": ["about Layers", "menu", "direct effect of each of 10 parts"],
    "attention_pattern": [
        *("about Attention", "menu", "colour", "without the first token"),
        *("attention of L3H1, 15 tokens by 15", "L1H3", "unpin L1H3", "L2H0", "unpin L2H0"),
    ],
    "head_readout": [
        *("about Head", "menu", "switch off", "what switching it off costs"),
        *("·John (4)", "·Mary (2)"),
    ],
    "head_grid": ["about Head maps", "menu", "heads of", "sorted by", "attention of 8 heads"],
    "logit_lens": [
        *("about Logit lens", "menu", "play through the layers", "layer"),
        "most likely next token, 10 depths by 15 positions",
    ],
    "view": [
        *("about Sizes", "menu", "now", "before", "change"),
        *("stream, 4 layers by 15 positions", "target so far over depths"),
    ],
}
# A map is what has a cursor of its own.
MAPS = "[role=grid], [role=listbox]"
WITH_MAPS = [name for name in VIEWS if name != "head_readout"]
NAME_OF_FOCUS = """
() => {
  const { ariaLabel, labels, textContent } = document.activeElement;
  return (ariaLabel ?? labels?.[0]?.textContent ?? textContent).trim();
}
"""


def tab_stops(page):
    """What the Tab key leads to, by name, from the page's top to its end."""
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.body"):
        yield page.evaluate(NAME_OF_FOCUS)
        page.keyboard.press("Tab")


@pytest.mark.parametrize("name", VIEWS)
def test_the_tab_key_stops_once_at_each_control_and_map(open_views, name):
    page = open_views(STATES["current"].models(name), height=900)
    assert list(tab_stops(page)) == TAB_STOPS[name]


def test_plain_keys_stay_in_a_view_and_combinations_pass(open_views):
    page = open_views(STATES["current"].models(*VIEWS), height=900)
    page.evaluate(
        """document.addEventListener("keydown", (event) => {
          const taken = event.defaultPrevented ? " taken" : "";
          (window.heard ??= []).push(event.code + taken);
        })"""
    )
    combinations = {"Control+KeyS": "KeyS", "Alt+KeyP": "KeyP", "Meta+KeyE": "KeyE", "Control+ArrowUp": "ArrowUp"}
    modifiers = {"ControlLeft", "AltLeft", "MetaLeft"}
    for _ in tab_stops(page):
        page.evaluate("window.heard = []")
        for key in ("j", "p", "p", "ArrowDown", "Home", "Escape"):
            page.keyboard.press(key)
        for key in combinations:
            page.keyboard.press(key)
        heard = [one for one in page.evaluate("window.heard") if one not in modifiers]
        assert heard == list(combinations.values()), page.evaluate(NAME_OF_FOCUS)
        page.evaluate("window.heard = []")


@pytest.mark.parametrize("name", WITH_MAPS)
def test_escape_clears_the_cursor_and_keeps_the_keyboard_where_it_is(open_views, name):
    page = open_views(STATES["current"].models(name), height=900)
    a_map = page.locator(MAPS)
    for _ in range(2):
        point(page, name)
        assert a_map.get_attribute("aria-activedescendant") is not None
        page.keyboard.press("Escape")
        assert a_map.get_attribute("aria-activedescendant") is None
        assert page.locator(".rs-tooltip").count() == 0
        page.keyboard.press("Escape")
        assert a_map.evaluate("(map) => map === document.activeElement")
    page.keyboard.press("Shift+Tab")
    assert a_map.evaluate("(map) => map !== document.activeElement")
    assert saved(page, "selection") == []


# What keys select in each view's map, beside what a mouse does there.
SELECTS = {
    "token_strip": (["Home", "Enter"], {"position": 0}),
    "head_attribution": (["Home", "ArrowDown", "Enter"], {"head": [2, 0]}),
    "layer_attribution": (["End", "End", "Enter"], {"pinned": [*CHOSEN["pinned"], "embed"]}),
    "attention_pattern": (["Home", "ArrowUp", "Enter"], {"position": 9, "key": 0}),
    "head_grid": (["End", "End", "Enter"], {"head": [3, 6]}),
    "logit_lens": (["ArrowDown", "Enter"], {"depth": 6}),
    "view": (["Home", "Enter"], {"depth": 8, "position": 0}),
}


@pytest.mark.parametrize("name", WITH_MAPS)
def test_what_keys_select_is_said_aloud(open_views, name):
    page = open_views(STATES["current"].models(name), height=900)
    keys, selected = SELECTS[name]
    said = page.locator(".rs-say[aria-live=polite]")
    before = said.inner_text()
    page.locator(MAPS).focus()
    for key in keys:
        page.keyboard.press(key)
    assert saved(page, "selection") == [selected]
    # An option of a list box says itself that it is selected.
    assert said.inner_text() != before or name == "head_grid"


@pytest.mark.parametrize("name", ["head_attribution", "attention_pattern", "head_grid", "layer_attribution"])
def test_pins_are_made_and_removed_by_keyboard_and_said_aloud(open_views, name):
    page = open_views(STATES["nothing selected"].models(*WITH_MAPS), height=900)
    set_state(page, "selection", head=[3, 1])
    of(page, name).locator(MAPS).focus()
    page.keyboard.press("p")
    (change,) = saved(page, "selection")
    (pinned,) = change["pinned"]
    aloud = page.locator(".rs-unseen[aria-live=polite]")
    assert "".join(aloud.all_inner_texts()) == f"{pinned} pinned", "the other views hold their tongue"
    page.keyboard.press("p")
    assert saved(page, "selection")[1:] == [{"pinned": []}]
    assert "".join(aloud.all_inner_texts()) == f"{pinned} unpinned"


def test_lists_of_heads_pin_by_shift_and_enter(open_views):
    page = open_views(STATES["current"].models("head_attribution"), height=900)
    page.get_by_role("button", name="L2H6").focus()
    page.keyboard.press("Shift+Enter")
    assert saved(page, "selection") == [{"pinned": [*CHOSEN["pinned"], "L2H6"]}]


@pytest.mark.parametrize("name", WITH_MAPS)
def test_a_tap_selects_and_shows_what_hovering_shows(open_views, name):
    page = open_views(STATES["current"].models(name), height=900, touch=True)
    x, y = page.locator(MAPS).evaluate(
        """(map) => {
          const part = [...map.querySelectorAll("[role=gridcell], [role=option]")][4];
          const { left, top, width, height } = (part ?? map).getBoundingClientRect();
          return [left + width * (part ? 0.5 : 0.3), top + height * 0.6];
        }"""
    )
    page.touchscreen.tap(x, y)
    page.wait_for_function("window.residscope.saved.length === 1")
    if name in WITH_TOOLTIPS:
        assert page.locator(".rs-tooltip").is_visible()
        page.get_by_role("button", name="about").tap()
        page.locator(".rs-tooltip").wait_for(state="detached")


def test_nothing_moves_for_those_who_want_no_motion(open_views):
    page = open_views(STATES["stale"].models(*VIEWS), height=900)
    page.emulate_media(reduced_motion="reduce")
    for _ in STATES["stale"].enter(page):
        lengths = page.eval_on_selector_all(
            ".rs-view, .rs-view *",
            """(every) => every.flatMap((one) => {
              const { animationDuration, transitionDuration } = getComputedStyle(one);
              return [animationDuration, transitionDuration];
            })""",
        )
        assert set(lengths) == {"0s"}
