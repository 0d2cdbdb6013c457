import { describe, expect, test } from "vitest";
import { plain } from "../../js/lib/sentence";
import type { Row } from "../../js/lib/state";
import { togglePin } from "../../js/lib/state";
import { targetOf } from "../../js/lib/target";
import { effectsOf, notInRun, sentence, topHeads } from "../../js/views/head_attribution/effects";

const ROW: Row = {
  prompt: "",
  ids: [],
  template: [],
  read: 14,
  right: { ids: [1], text: " Mary" },
  wrong: { ids: [2], text: " John" },
  target: { name: "' Mary' − ' John'", value: 10.8024, unit: "logits" },
  right_prob: 0.99,
  right_rank: 0,
};
const TENSOR = {
  shape: [2, 2, 2],
  data: new Float32Array([1, -2, Number.NaN, 4, 3, -4, Number.NaN, 0]),
};
const EFFECTS = effectsOf(TENSOR, 0);

describe("the numbers", () => {
  test("are one row's, or the mean over rows", () => {
    expect([...EFFECTS.values]).toEqual([1, -2, Number.NaN, 4]);
    expect([...effectsOf(TENSOR, null).values]).toEqual([2, -3, Number.NaN, 2]);
  });

  test("are ranked on either side, heads that do not exist left out", () => {
    expect(topHeads(EFFECTS, 3).towards.map(({ head }) => head)).toEqual([
      [1, 1],
      [0, 0],
    ]);
    expect(topHeads(EFFECTS, 3).against).toEqual([{ head: [0, 1], value: -2 }]);
  });
});

describe("the sentence", () => {
  const say = (row: Row, head: [number, number] | null, rows = [row]) =>
    plain(sentence(EFFECTS, head, 3, targetOf(rows, rows.length > 1 ? null : 0), "RdBu"));

  test("says what the chosen head adds", () => {
    expect(say(ROW, [1, 1])).toBe(
      "L1H1 adds +4.00 of the 10.80 logits by which ·Mary beats ·John; all heads together +3.00. " +
        "Blue pushes towards ·Mary.",
    );
  });

  test("says what all heads add where none is chosen, or none exists", () => {
    for (const head of [null, [1, 0]] as const) {
      expect(say(ROW, head && [...head])).toContain("All heads together add +3.00 of the 10.80");
    }
  });

  test("of arrays has no unit where there is none, and no point stands alone", () => {
    const row = {
      ...ROW,
      right: null,
      wrong: null,
      target: { name: "mine", value: null, unit: "" },
    };
    expect(say(row, null)).toBe("The largest is L1H1's, +4.00.");
    expect(say(row, [0, 1])).toBe("L0H1: −2.00; the largest is L1H1's, +4.00.");
  });

  test("says the difference when the wrong answer is ahead: a part that helps is not part of that", () => {
    const behind = { ...ROW, target: { ...ROW.target, value: -2 } };
    expect(say(behind, [1, 1])).toContain("L1H1 adds +4.00 logits to ·Mary − ·John, −2.00; all");
  });

  test("names a single answer's log-probability", () => {
    const alone = { ...ROW, wrong: null, target: { name: "", value: -0.5, unit: "nats" } };
    expect(say(alone, [1, 1])).toContain("to the log-probability of ·Mary, −0.500 nats");
  });

  test("names a single answer's logit", () => {
    const alone = { ...ROW, wrong: null, target: { name: "", value: 9.5, unit: "logits" } };
    expect(say(alone, [1, 1])).toContain("to the logit of ·Mary, 9.50 logits");
  });

  test("speaks of averages and of sides where prompts differ", () => {
    const other = { ...ROW, right: { ids: [3], text: " Tom" } };
    const text = say(ROW, [1, 1], [ROW, other]);
    expect(text).toContain("by which the right answer on average beats ·John");
  });
});

test("what is outside the run is said", () => {
  expect(notInRun(EFFECTS, [1, 1])).toBeNull();
  expect(notInRun(EFFECTS, [2, 0])).toBe("L2H0 is not in this run, which has 2 layers of 2 heads.");
});

test("a pin is added and taken away", () => {
  expect(togglePin(["L0H1"], "L1H1")).toEqual(["L0H1", "L1H1"]);
  expect(togglePin(["L0H1", "L1H1"], "L0H1")).toEqual(["L1H1"]);
});
