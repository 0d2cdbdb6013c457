"""Forty hostile texts in every view: shown as text, nothing runs, nothing is fetched, nothing leaves its place."""

import re

import pytest

from residscope import views
from residscope.live import wire
from residscope.views.base import View
from tests.hostile import TEXTS

from .samples import SAMPLES, page_models, run_of

# Brings a run, points at everything that answers, and tells all that has come of it.
SHOW = """async ({ number, patches }) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  for (const [id, patch] of Object.entries(patches)) window.residscope.setState(id, patch);
  const view = document.querySelector(".rs-view");
  while (!view.querySelector(".rs-run")?.textContent.includes(`run ${number}`)) await frame();
  await frame();
  const made = () => ({
    elements: document.querySelectorAll(
      "img, script, iframe, link, meta, base, style, form, math, object, embed, title, a",
    ).length,
    drawings: document.querySelectorAll("svg").length,
    attributes: [...view.querySelectorAll("*")]
      .flatMap((one) => [...one.attributes])
      .map(({ name }) => name)
      .filter((name) => /^(on.*|href|src|srcdoc|action|formaction|data)$/.test(name)),
  });
  const found = { made: made(), words: "", beyond: 0, struck: null };
  const look = () => {
    const every = [view, ...view.querySelectorAll("*")];
    found.words += view.textContent + every.map((one) => `${one.title ?? ""}${one.ariaLabel ?? ""}`).join();
    for (const one of [document.documentElement, view]) {
      found.beyond = Math.max(found.beyond, one.scrollWidth - one.clientWidth);
    }
  };
  look();
  for (const part of view.querySelectorAll("[role=grid], [role=listbox], [role=application]")) {
    const { left, top, width, height } = part.getBoundingClientRect();
    const middle = { clientX: left + width / 2, clientY: top + height / 2 };
    const target = document.elementFromPoint(middle.clientX, middle.clientY) ?? part;
    target.dispatchEvent(new PointerEvent("pointermove", { ...middle, bubbles: true }));
    await frame();
    look();
    part.focus();
    for (let turn = 0; turn < 2; turn++) {
      part.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
      await frame();
    }
    look();
  }
  found.struck = globalThis.struck ?? null;
  return found;
}"""


def told(raw):
    """A text as Python sends it."""
    return wire.text(raw)


def written(text):
    """The beginning of a text as views write it, before any of them would cut it."""
    marked = re.sub(
        r"^ +| +$|[\n\t]", lambda gap: "".join({" ": "·", "\n": "⏎", "\t": "⇥"}[one] for one in gap[0]), text
    )
    return marked[:12]


def show(page, name, number, say):
    """Bring a run with its texts in other words."""
    patches = {"view": SAMPLES[name](number, say), "status": {"run": number, "_header": run_of(number, say)}}
    return page.evaluate(SHOW, {"number": number, "patches": patches})


def test_every_view_has_a_sample():
    kinds = [getattr(views, name) for name in views.__all__]
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in kinds if issubclass(kind, View)}
    assert {name.split()[0] for name in SAMPLES} == names | {View._bundle_name}


@pytest.mark.parametrize("name", SAMPLES)
def test_hostile_texts_are_shown_as_text_and_do_nothing(open_views, server, name):
    page = open_views(page_models(name), height=900)
    usual = show(page, name, 99, str)
    done = []
    page.on("dialog", lambda dialog: (done.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: done.append(request.url))
    page.context.on("page", lambda other: done.append(other.url))
    names_tokens = "Mary" in usual["words"]
    for number, (kind, raw) in enumerate(TEXTS.items(), 100):
        found = show(page, name, number, lambda _text, raw=raw: told(raw))
        assert done == [], kind
        assert found["struck"] is None, kind
        assert written(told(raw)) in found["words"] or not names_tokens, kind
        assert found["made"] == usual["made"], kind
        assert found["beyond"] == 0, kind
    assert page.title() == "residscope"
    assert page.url == f"{server}/"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_narrow_view_keeps_long_texts_within_its_width(open_views, name):
    page = open_views(page_models(name), width=360, height=900)
    for number, kind in enumerate(["no break", "wide", "expression", "combining storm"], 100):
        assert show(page, name, number, lambda _text, kind=kind: told(TEXTS[kind]))["beyond"] == 0, kind
