"""Two bundles on one page: linked by one selection, and never showing two runs at once."""

import numpy as np

from .conftest import make_run, saved, selection, status, view
from .painted import READ_CELLS, shows
from .test_attention_pattern import EMPTY, WEIGHTS, data
from .test_head_attribution import EFFECTS
from .test_head_attribution import data as effects

ROUNDS = 200

# Two runs that differ in every token, every answer and every number.
KINDS = {
    "even": {"token": "ant", "effect": 2.0, "dark": True},
    "odd": {"token": "owl", "effect": 5.0, "dark": False},
}


def one_hot(first):
    """Each token looks at the first one alone, or at itself alone."""
    weights = np.zeros((4, 8, 15, 15), np.float16)
    weights[..., np.arange(15), 0 if first else np.arange(15)] = 1
    return weights


def messages(kind):
    """A finished run's three messages, the run's number left to the page."""
    token, effect, dark = kind["token"], kind["effect"], kind["dark"]
    run = make_run()
    row = run["rows"][0]
    answers = {
        "right": {"ids": [2], "text": f" {token}"},
        "wrong": {"ids": [4], "text": f" no{token}"},
    }
    target = {**row["target"], "value": effect}
    run["rows"] = [{**row, **answers, "target": target}]
    run["texts"] = {id: f" {token}{id}" for id in run["texts"]}
    values = np.full((1, 4, 8), effect, np.float32)
    return {
        "run": run,
        "heads": effects(values=values, sum=effect, target=effect),
        "pattern": data(one_hot(dark)),
    }


# Every message is renumbered here, since its header names its run.
SHUFFLE = """
async ([kinds, rounds, readCells]) => {
  const { setState } = window.residscope;
  const cells = eval(readCells);
  let state = 12345;
  const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const renumber = ({ $bytes }, number) => {
    const text = atob($bytes).replace('"run":"7"', `"run":"${number}"`);
    const size = Number(new DataView(Uint8Array.from(text.slice(0, 8), (c) => c.charCodeAt(0)).buffer)
      .getBigUint64(0, true)) + String(number).length - 1;
    const head = new Uint8Array(8);
    new DataView(head.buffer).setBigUint64(0, BigInt(size), true);
    return { $bytes: btoa(String.fromCharCode(...head) + text.slice(8)) };
  };
  const seen = new Set();
  const look = () => {
    const [heads, pattern] = document.querySelectorAll(".rs-frame");
    const painted = cells(15);
    const darkest = painted ? painted.light[105] < painted.light[119] : null;
    for (const frame of [heads, pattern]) {
      const title = frame.querySelector(".rs-title").textContent;
      const number = /run (\\d+)/.exec(title);
      seen.add(JSON.stringify({
        view: frame === heads ? "heads" : "pattern",
        parity: number ? number[1] % 2 : null,
        words: frame.querySelector(".rs-say").textContent,
        what: frame.querySelector(".rs-what").textContent,
        darkest: frame === heads ? null : darkest,
      }));
    }
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  let frames = 0;
  let watching = true;
  const everyFrame = () => {
    look();
    frames++;
    if (watching) requestAnimationFrame(everyFrame);
  };
  everyFrame();
  for (let round = 0; round < rounds; round++) {
    const post = [];
    for (const [parity, kind] of [[0, kinds.even], [1, kinds.odd]]) {
      const number = 10 + 2 * round + parity;
      post.push(() => setState("status", { _header: { ...kind.run, number }, run: number }));
      post.push(() => setState("heads", { _data: renumber(kind.heads, number) }));
      post.push(() => setState("pattern", { _data: renumber(kind.pattern, number) }));
    }
    await Promise.all(post.map((send) => new Promise((done) => {
      setTimeout(() => { send(); done(); }, 12 * random());
    })));
  }
  await new Promise((done) => setTimeout(done, 100));
  watching = false;
  observer.disconnect();
  return { frames, seen: [...seen].map((one) => JSON.parse(one)) };
}
"""


def click_head(page, layer, head):
    """Click the middle of a cell, measured from the map's size and its legend."""
    box = page.locator(".rs-map").first.bounding_box()
    legend = page.locator(".rs-legend").first.bounding_box()
    cell = (legend["height"] + 1) / 4
    x = box["x"] + box["width"] - 4 - (8 - head - 0.5) * cell
    page.mouse.click(x, box["y"] + 4 + (3 - layer + 0.5) * cell)


def both(**chosen):
    return [
        view("head_attribution", "heads", _data=effects(values=np.stack([EFFECTS]))),
        view("attention_pattern", "pattern", _data=data(), _answer=EMPTY),
        selection(**chosen),
        status(make_run()),
    ]


def test_a_head_clicked_in_one_view_is_painted_by_the_other(open_views):
    page = open_views(both(head=[0, 0]), height=1000)
    assert shows(page, WEIGHTS[0, 0])
    click_head(page, 2, 5)
    page.get_by_text("L2H5 at ·to").wait_for()
    assert saved(page, "selection") == [{"head": [2, 5]}]
    assert shows(page, WEIGHTS[2, 5])
    assert not shows(page, WEIGHTS[0, 0])


def test_messages_of_two_runs_in_any_order_are_never_mixed(open_views):
    page = open_views(both(head=[3, 1]), height=1000)
    kinds = {parity: messages(kind) for parity, kind in KINDS.items()}
    found = page.evaluate(SHUFFLE, [kinds, ROUNDS, READ_CELLS])
    assert found["frames"] >= ROUNDS / 2
    looks = [look for look in found["seen"] if look["parity"] is not None]
    known = [kind["token"] for kind in KINDS.values()]
    shuffled = [one for one in looks if any(token in one["words"] for token in known)]
    shown = {(look["view"], look["parity"]) for look in shuffled}
    assert shown == {(view, parity) for view in ("heads", "pattern") for parity in (0, 1)}
    for look in shuffled:
        kind, other = KINDS.values() if look["parity"] == 0 else reversed(KINDS.values())
        assert kind["token"] in look["words"]
        assert other["token"] not in look["words"] + look["what"]
        if look["view"] == "heads":
            assert f"adds +{kind['effect']:.2f} of the {kind['effect']:.2f} logits" in look["words"]
        else:
            key = 0 if kind["dark"] else 14
            assert f"({key}) with 1.00" in look["words"]
            assert look["darkest"] == kind["dark"]


# Each message in a task of its own, as they come from a kernel.
STORM = """async (messages) => {
  let drawn = 0;
  const observer = new MutationObserver(() => drawn++);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  for (let turn = 1; turn <= messages; turn++) {
    const { port1, port2 } = new MessageChannel();
    const sent = new Promise((done) => { port1.onmessage = done; });
    port2.postMessage(turn);
    await sent;
    window.residscope.setState("selection", { head: [turn % 4, turn % 8], position: turn % 14 });
  }
  return drawn;
}"""


def test_a_storm_of_messages_is_drawn_a_few_times_and_ends_in_the_last_state(open_views):
    page = open_views(both(head=[0, 0]), height=1000)
    drawn = page.evaluate(STORM, 1000)
    page.get_by_text("L0H0 at ·to (6)").wait_for()
    assert drawn < 300
    click_head(page, 1, 7)
    page.get_by_text("L1H7 at").wait_for()
