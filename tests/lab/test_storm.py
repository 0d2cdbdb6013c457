"""A storm of selections and edits, from the page and from Python: few runs, the last state in every view, never an
older run after a newer one."""

from tests.lab.workbench import python

SETUP = """
import anywidget, traitlets
import residscope as rs
import residscope.runs.trace as rt
from residscope import views
from residscope.views.base import View

model = rs.load_model("demo")
exp = rs.Experiment(model, "When Mary and John went to the store, John gave a drink to", (" Mary", " John"))
kinds = [getattr(views, name) for name in views.__all__ if issubclass(getattr(views, name), View)]

def everything(of):
    return rs.Column([kind(of) for kind in kinds])

class Door(anywidget.AnyWidget):
    "Hands the page's own models to the test."
    _esm = '''export default { async render({ model, host }) {
      const [selection, strip] = await Promise.all(["selection", "strip"].map((one) => host.getModel(model.get(one))));
      globalThis.door = { selection, strip };
    } };'''
    selection = anywidget.WidgetTrait().tag(sync=True)
    strip = anywidget.WidgetTrait().tag(sync=True)

record, begun, ended, stormed = rt.record, [], [], False

def counted(*args, **options):
    begun.append(1)
    recording = record(*args, **options)
    ended.append(1)
    return recording

rt.record = counted

def prompt_of(turn):
    right, wrong = (("Mary", "John"), ("Tom", "Anna"))[turn % 2]
    place = ("store", "park", "school", "office", "garden")[turn % 5]
    return f"When {right} and {wrong} went to the {place}, {wrong} gave a drink to", (f" {right}", f" {wrong}")

def selected(turn):
    return {"depth": turn % 9, "head": (turn % 4, turn % 8), "position": turn % 14, "pinned": [f"L{turn % 4}H0"]}

def storm(turns):
    for turn in range(turns):
        prompt, answers = prompt_of(turn)
        exp.update(prompts=prompt, answers=answers)
        exp.selection.update(**selected(turn))
"""

# Each view's run numbers from here on, whenever they change.
WATCH = """() => {
  globalThis.shown = [];
  const note = () => {
    const frames = [...document.querySelectorAll(".rs-column")].at(0).querySelectorAll(".rs-frame");
    const numbers = [...frames].map((one) => Number(/\\d+/.exec(one.querySelector(".rs-run")?.textContent ?? "0")));
    if (JSON.stringify(numbers) !== JSON.stringify(globalThis.shown.at(-1))) globalThis.shown.push(numbers);
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
  note();
}"""

STORM = """async ({ turns, code, edits, selections }) => {
  const { selection, strip } = globalThis.door;
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const python = kernel.requestExecute({ code, store_history: false }).done;
  const first = (strip.get("_edit")?.id ?? 0) + 1;
  const one = (turn) => {
    for (const [key, value] of Object.entries(selections[turn % selections.length])) selection.set(key, value);
    selection.save_changes();
    strip.set("_edit", { id: first + turn, ...edits[turn % edits.length] });
    strip.save_changes();
  };
  for (let turn = 0; turn < turns; turn++) {
    one(turn);
    if (turn % 25 === 0) await new Promise((done) => setTimeout(done));
  }
  await python;
  // Not what Python has set last, which would be no change here.
  one(turns + 3);
}"""

COLUMN = """
const settle = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
const frames = () => [...[...document.querySelectorAll(".rs-column")].at(-1).querySelectorAll(".rs-frame")];
"""

# What each view of the last column shows, its run's number left out.
PICTURES = (
    "async () => {"
    + COLUMN
    + """
  const hash = (text) => [...text].reduce((sum, one) => (Math.imul(sum, 31) + one.charCodeAt(0)) | 0, 7);
  for (const one of frames().flatMap((frame) => [...frame.querySelectorAll("*")])) one.scrollLeft = one.scrollTop = 0;
  await settle();
  await settle();
  return frames().map((frame) => ({
    state: frame.dataset.state,
    words: [...frame.children].map((one) => one.innerText.replace(/run \\d+/, "run")),
    canvases: [...frame.querySelectorAll("canvas")].map((one) => hash(one.toDataURL())),
  }));
}"""
)

SETTLED = (
    "run => {"
    + COLUMN
    + """
  const shows = (one) => one.dataset.state === "current" && one.querySelector(".rs-run").textContent.includes(run);
  return frames().length > 0 && frames().every(shows) && !document.querySelector(".rs-line");
}"""
)

TURNS = 500
"""Selections and edits from the page, and as many from Python meanwhile."""

CELLS = [
    SETUP,
    "column = everything(exp)\n"
    "strip = next(view for view in column.children if isinstance(view, rs.TokenStrip))\n"
    "Door(selection=exp.selection, strip=strip)",
    "column",
    "if stormed:\n"
    "    fresh = rs.Experiment(model, exp.prompts, exp.answers)\n"
    "    fresh.selection.update(**exp.selection.values)\n"
    "    display(everything(fresh))",
]


def as_fresh(lab):
    """Wait until all views show the newest run, and tell how they differ from those of a fresh experiment."""
    lab.page.wait_for_function(SETTLED, arg=f"run {python(lab, 'exp.trace.number')}")
    stormed = lab.page.evaluate(PICTURES)
    lab.execute("stormed = True")
    lab.run_cell_without_waiting(3)
    lab.page.wait_for_function("document.querySelectorAll('.rs-column').length === 2")
    lab.page.wait_for_function(SETTLED, arg="run 1")
    fresh = lab.page.evaluate(PICTURES)
    lab.execute("fresh.close()")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-cell-output')")
    lab.page.wait_for_function("document.querySelectorAll('.rs-column').length === 1")
    return [(one, other) for one, other in zip(stormed, fresh, strict=True) if one != other]


def test_a_storm_from_the_page_and_from_python_ends_in_the_last_state_after_few_runs(lab):
    page = lab.open(CELLS)
    lab.run_all()
    page.wait_for_function("globalThis.door !== undefined")
    page.wait_for_function(SETTLED, arg="run 1")
    page.evaluate(WATCH)
    edits = [{"prompts": [p], "answers": [a]} for p, a in python(lab, "[prompt_of(turn) for turn in range(10)]")]
    selections = python(lab, "[selected(turn) for turn in range(504)]")
    page.evaluate(STORM, {"turns": TURNS, "code": f"storm({TURNS})", "edits": edits, "selections": selections})
    lab.execute("exp.trace")
    assert python(lab, "list(exp.prompts)") == edits[(TURNS + 3) % 10]["prompts"]
    assert python(lab, "exp.selection.values") == selections[(TURNS + 3) % 504] | {
        "row": None,
        "key": None,
        "show": "now",
    }
    assert as_fresh(lab) == []

    lab.execute("storm(51)")
    assert python(lab, "list(exp.prompts)") == edits[0]["prompts"]
    assert python(lab, "exp.selection.values") == selections[50] | {"row": None, "key": None, "show": "now"}
    assert as_fresh(lab) == []

    assert python(lab, "exp.trace.number") > TURNS
    assert python(lab, "len(ended)") < TURNS / 10
    shown = page.evaluate("globalThis.shown")
    for numbers in zip(*shown, strict=True):
        assert list(numbers) == sorted(numbers), "no older run after a newer one"
