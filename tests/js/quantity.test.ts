import { describe, expect, test } from "vitest";
import { fold } from "../../js/lib/blocks/fold";
import {
  blockOf,
  chosenAt,
  indexOf,
  labelOf,
  nameOf,
  notInRun,
  picked,
  shownOf,
  spokenName,
} from "../../js/lib/quantity";
import { type Header, NOTHING_SELECTED, togglePin } from "../../js/lib/state";
import { quantity, ROW, RUN, shown } from "./quantities";

const NAN = Number.NaN;
const HEADS = quantity("row layer head", [2, 2, 2], [1, -2, NAN, 4, 3, -4, NAN, 0]);
const TOKENS: Header = { ...RUN, rows: [{ ...ROW, ids: [5, 6, 7], target_position: 2 }] };

describe("the axes say how a quantity is drawn", () => {
  test.each([
    ["row layer head", "map"],
    ["depth pos", "map"],
    ["query key", "map"],
    ["row component", "bars"],
    ["head", "bars"],
    ["row depth", "curve"],
    ["layer", "curve"],
    ["row pos", "chips"],
    ["key", "chips"],
    ["row", "table"],
  ])("[%s] is a %s", (dims, block) => {
    expect(blockOf({ dims: dims.split(" "), texts: null })).toBe(block);
  });

  test("and numbers with texts of their own are a table, but along tokens chips", () => {
    expect(blockOf({ dims: ["k"], texts: {} })).toBe("table");
    expect(blockOf({ dims: ["pos"], texts: {} })).toBe("chips");
  });
});

describe("what is shown", () => {
  test("is one row, or the mean over the rows that have a number", () => {
    expect([...shown(HEADS, { row: 0 }).values]).toEqual([1, -2, NAN, 4]);
    const mean = shown(HEADS);
    expect([...mean.values]).toEqual([2, -3, NAN, 2]);
    expect(mean.row).toBeNull();
    expect(mean.spread.map((row) => [...row])).toEqual([
      [1, -2, NAN, 4],
      [3, -4, NAN, 0],
    ]);
  });

  test("is the first prompt where numbers stand along tokens, as far as it goes", () => {
    const norms = quantity("row layer pos", [2, 1, 4], [1, 2, 3, 4, 5, 6, 7, 8], {
      lengths: [2, 4],
    });
    const first = shown(norms);
    expect([first.row, first.sizes, [...first.values.subarray(0, 2)]]).toEqual([0, [1, 2], [1, 2]]);
    const second = shown(norms, { row: 1 });
    expect(second.sizes).toEqual([1, 4]);
    expect(second.values[indexOf(second, [0, 3])]).toBe(8);
  });

  test("is what it was, or the change, where there is a reference", () => {
    const of = quantity("layer head", [1, 2], [1, 5], { before: [2, 2], scale: "sequential" });
    const said = (show: "now" | "before" | "change") => {
      const { values, signed, limit } = shown(of, { show });
      return [[...values], signed, limit];
    };
    expect(said("now")).toEqual([[1, 5], false, 5]);
    expect(said("before")).toEqual([[2, 2], false, 5]);
    expect(said("change")).toEqual([[-1, 3], true, 3]);
    expect(shown(HEADS, { show: "change" }).show).toBe("now");
  });

  test("shares one scale for changes in one unit", () => {
    const make = (size: number, unit: string) =>
      quantity("layer head", [1, 1], [size], { before: [0], unit });
    const selected = { ...NOTHING_SELECTED, show: "change" as const };
    const drawn = shownOf([make(1, "logits"), make(7, "logits"), make(3, "nats")], selected, RUN);
    expect(drawn.map(({ limit }) => limit)).toEqual([7, 7, 3]);
  });
});

describe("a cell", () => {
  const norms = shown(quantity("layer pos", [2, 3], [1, 2, 3, 4, 5, 6]), {}, TOKENS);
  const lens = shown(quantity("depth pos", [5, 3], Array(15).fill(1)), {}, TOKENS);
  const pairs = shown(quantity("query key", [3, 3], Array(9).fill(1)), {}, TOKENS);

  test("is named by what stands along its axes", () => {
    expect(nameOf(shown(HEADS), [1, 0], RUN)).toBe("L1H0");
    expect(nameOf(norms, [1, 2], TOKENS)).toBe("L1, ·to (2)");
    expect(nameOf(lens, [4, 1], TOKENS)).toBe("output, ·Mary (1)");
    expect(nameOf(shown(quantity("pos", [3], [1, 2, 3])), [1], RUN)).toBe("pos 1");
    expect(spokenName(shown(HEADS), [1, 0], RUN)).toBe("layer 1, head 0");
    expect(spokenName(pairs, [2, 1], TOKENS)).toBe("query ·to (2), key ·Mary (1)");
  });

  test("selects what its axes name", () => {
    expect(picked(["layer", "head"], [1, 0], RUN)).toEqual({ head: [1, 0] });
    expect(picked(["depth", "pos"], [3, 1], RUN)).toEqual({ depth: 3, position: 1 });
    expect(picked(["query", "key"], [2, 1], RUN)).toEqual({ position: 2, key: 1 });
    expect(picked(["layer", "pos"], [0, 1], RUN)).toEqual({ depth: 2, position: 1 });
    expect(picked(["layer", "pos"], [1, 1], RUN)).toEqual({ depth: 4, position: 1 });
    expect(picked(["explanation"], [1], RUN)).toEqual({});
  });

  test("of the last layer selects the last stop", () => {
    expect(picked(["layer"], [1], RUN).depth).toBe(4);
  });

  test("is where the selection stands", () => {
    const at = (patch: object) => ({ ...NOTHING_SELECTED, ...patch });
    expect(chosenAt(shown(HEADS), at({ head: [1, 0] }), RUN)).toEqual([1, 0]);
    expect(chosenAt(shown(HEADS), at({ head: [1, 9] }), RUN)).toEqual([null, null]);
    expect(chosenAt(norms, at({ depth: 3 }), TOKENS)).toEqual([1, 2]);
    expect(chosenAt(norms, at({ depth: 4, position: 0 }), TOKENS)).toEqual([1, 0]);
    expect(chosenAt(norms, at({ depth: 0, position: 9 }), TOKENS)).toEqual([null, null]);
    expect(chosenAt(pairs, at({ key: 1 }), TOKENS)).toEqual([2, 1]);
  });

  test("has the text that came with its number", () => {
    const texts = { 0: "a", 1: " b" };
    const guesses = shown(quantity("row k", [1, 2], [0.9, 0.1], { texts, labels: [1, -1] }));
    expect([labelOf(guesses, 0), labelOf(guesses, 1)]).toEqual([" b", ""]);
  });
});

test("a map of more cells than there is room for keeps the largest of those that are folded together", () => {
  const values = Array(2 * 300).fill(0.1);
  values[300 + 7] = -5;
  const folded = fold(shown(quantity("layer pos", [2, 300], values)), 200);
  expect([folded.rows, folded.cols, folded.by]).toEqual([2, 100, [1, 3]]);
  expect(folded.at(1, 2)).toEqual([1, 7]);
  expect(folded.at(0, 99)).toEqual([0, 297]);
  const small = fold(shown(quantity("layer pos", [2, 3], [1, 2, 3, 4, 5, 6])), 200);
  expect([small.by, small.at(1, 2)]).toEqual([
    [1, 1],
    [1, 2],
  ]);
});

test("what is outside the run is said", () => {
  const heads = shown(HEADS);
  const at = (patch: object) => ({ ...NOTHING_SELECTED, ...patch });
  expect(notInRun(heads, at({ head: [1, 1] }))).toBeNull();
  expect(notInRun(heads, at({ head: [2, 0], position: 99 }))).toBe(
    "L2H0 is not in this run, which has 2 layers of 2 heads.",
  );
  const lens = shown(quantity("depth pos", [2, 3], Array(6).fill(1)));
  expect(notInRun(lens, at({ depth: 2 }))).toBe(
    "Stop 2 of the slider is not in this run, which has 2.",
  );
  expect(notInRun(lens, at({ position: 3 }))).toBe(
    "Position 3 is not in this run, whose prompt has 3 tokens.",
  );
});

test("a pin is added and taken away", () => {
  expect(togglePin(["L0H1"], "L1H1")).toEqual(["L0H1", "L1H1"]);
  expect(togglePin(["L0H1", "L1H1"], "L1H1")).toEqual(["L0H1"]);
});
