"""Messages of many runs in any order, some of them lost: what a view shows is one run, and never an older one again."""

import random

import pytest

from .samples import SAMPLES, page_models, run_of

RUNS = 16
APART = 2
"""A message may be overtaken by those of so many later runs."""
LOST = 0.15

# What a view shows; its canvases only between frames, when they are painted.
LOOK = """
// A change that follows another is drawn a frame later.
const frame = async () => {
  for (let turn = 0; turn < 3; turn++) await new Promise(requestAnimationFrame);
};
const hash = (text) => [...text].reduce((sum, one) => (Math.imul(sum, 31) + one.charCodeAt(0)) | 0, 7);
const look = (painted) => {
  const section = document.querySelector(".rs-frame");
  const say = section.querySelector(".rs-say");
  const waits = say.classList.contains("rs-notice");
  return {
    run: Number(/run (\\d+)/.exec(section.querySelector(".rs-run")?.textContent ?? "run 0")[1]),
    state: section.dataset.state,
    waits,
    words: [...section.children].map((one) => (one === say && waits ? "" : one.textContent)).join("|"),
    canvases: painted ? [...section.querySelectorAll("canvas")].map((one) => hash(one.toDataURL())).join() : null,
  };
};
"""

# Each run by itself: first without what the kernel sends on demand, then with it.
IN_ORDER = (
    "async (runs) => {"
    + LOOK
    + """
  const seen = [];
  for (const { status, data, more } of runs) {
    window.residscope.setState("status", status);
    window.residscope.setState("view", data);
    await frame();
    seen.push(look(true));
    if (Object.keys(more).length === 0) continue;
    window.residscope.setState("view", more);
    await frame();
    seen.push(look(true));
  }
  return seen;
}"""
)

SHUFFLED = (
    "async (messages) => {"
    + LOOK
    + """
  const seen = [];
  let newest = 0;
  const note = (painted) => seen.push({ ...look(painted), newest });
  const observer = new MutationObserver(() => note(false));
  observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  for (const { id, number, patch, pause } of messages) {
    if (patch.run || patch._data) newest = Math.max(newest, number);
    window.residscope.setState(id, patch);
    if (pause) await frame();
    if (pause) note(true);
  }
  await frame();
  note(true);
  observer.disconnect();
  return seen;
}"""
)


def of_run(name, number):
    """The messages of one run, which names itself in every text."""

    def say(text):
        return f"{text} of {number}"

    traits = {trait: value for trait, value in SAMPLES[name](number, say).items() if isinstance(value, dict)}
    bytes_of = {trait: value for trait, value in traits.items() if value.get("$bytes")}
    data = {"_data": bytes_of.pop("_data")}
    return {"status": {"run": number, "_header": run_of(number, say)}, "data": data, "more": bytes_of}


def shuffled(runs, chance):
    """Messages of all runs, some lost; of the last all come, in the end."""
    messages = []
    for number, run in enumerate(runs, 1):
        for part, id in (("status", "status"), ("data", "view"), ("more", "view")):
            if run[part] and (number == RUNS or chance.random() > LOST):
                late = number + APART * chance.random()
                messages.append((late, {"id": id, "number": number, "patch": run[part]}))
    return [{**message, "pause": chance.random() < 0.6} for _late, message in sorted(messages, key=lambda one: one[0])]


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_shown_is_one_run_whatever_comes_when(open_views, name):
    runs = [of_run(name, number) for number in range(1, RUNS + 1)]
    alone = open_views(page_models(name, 0), height=1000).evaluate(IN_ORDER, runs)
    whole = {(one["run"], one["waits"], one["words"]) for one in alone}
    painted = {(one["run"], one["waits"], one["canvases"]) for one in alone}
    assert len({words for _run, _waits, words in whole}) == len(alone), "each run looks like no other"

    messages = shuffled(runs, random.Random(name))
    seen = open_views(page_models(name, 0), height=1000).evaluate(SHUFFLED, messages)
    shown = [one for one in seen if one["run"]]
    for one in shown:
        assert (one["run"], one["waits"], one["words"]) in whole, one
        if one["canvases"] is not None:
            assert (one["run"], one["waits"], one["canvases"]) in painted, one
            assert one["state"] == ("stale" if one["newest"] > one["run"] else "current")
    numbers = [one["run"] for one in shown]
    assert numbers == sorted(numbers)
    assert numbers[-1] == RUNS
    assert 4 <= len(set(numbers)) < RUNS
