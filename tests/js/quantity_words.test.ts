import { describe, expect, test } from "vitest";
import { chosenAt, indexOf, type Quantity } from "../../js/lib/quantity";
import {
  ends,
  endWords,
  ranked,
  sentence,
  strongest,
  whatWords,
} from "../../js/lib/quantity-words";
import { plain } from "../../js/lib/sentence";
import { type Head, NOTHING_SELECTED, type Row, type SelectionState } from "../../js/lib/state";
import { targetOf } from "../../js/lib/target";
import { CHECK, quantity, ROW, RUN, shown } from "./quantities";

const NAN = Number.NaN;
const TARGET = targetOf([ROW], 0);

/** What is said of a quantity while `at` is looked at. */
function say(
  of: Quantity,
  at: number[] | Head | null,
  rows: Row[] = [ROW],
  selected: Partial<SelectionState> = {},
): string {
  const run = { ...RUN, rows };
  const one = shown(of, selected, run);
  const value = at ? one.values[indexOf(one, at)]! : NAN;
  const spoken = at && !Number.isNaN(value) ? at : null;
  const target = targetOf(rows, rows.length > 1 ? null : 0);
  return plain(
    sentence({ shown: one, at: spoken, value, cells: ranked(one), target, palette: "RdBu", run }),
  );
}

const VALUES = [1, -2, NAN, 4];
const heads = (more = {}) => quantity("layer head", [2, 2], VALUES, { checks: [CHECK], ...more });

test("cells are ranked on either side, those that do not exist left out", () => {
  const { high, low } = ends(ranked(shown(heads())), 3);
  expect(high.map(({ at }) => at)).toEqual([
    [1, 1],
    [0, 0],
  ]);
  expect(low).toEqual([{ at: [0, 1], value: -2 }]);
});

describe("parts of the target", () => {
  test("say what the chosen head adds", () => {
    expect(say(heads(), [1, 1])).toBe(
      "L1H1 adds +4.00 of the 10.80 logits by which ·Mary beats ·John; all heads together +3.00. " +
        "Blue pushes towards ·Mary.",
    );
  });

  test("say what all heads add where none is chosen, or none exists", () => {
    for (const head of [null, [1, 0]]) {
      expect(say(heads(), head)).toContain("All heads together add +3.00 of the 10.80");
    }
  });

  test("say the difference when the wrong answer is ahead: a part that helps is not part of that", () => {
    const behind = { ...ROW, target: { ...ROW.target, value: -2 } };
    expect(say(heads(), [1, 1], [behind])).toContain(
      "L1H1 adds +4.00 logits to ·Mary − ·John, −2.00; all",
    );
  });

  test("name a single answer's log-probability, or its logit", () => {
    const nats = { ...ROW, wrong: null, target: { name: "", value: -0.5, unit: "nats" } };
    expect(say(heads(), [1, 1], [nats])).toContain("to the log-probability of ·Mary, −0.500 nats");
    const logits = { ...ROW, wrong: null, target: { name: "", value: 9.5, unit: "logits" } };
    expect(say(heads(), [1, 1], [logits])).toContain("to the logit of ·Mary, 9.50 logits");
  });

  test("speak of averages and of sides where prompts differ", () => {
    const other = { ...ROW, right: { ids: [3], text: " Tom" } };
    const text = say(heads(), [1, 1], [ROW, other]);
    expect(text).toContain("by which the right answer on average beats ·John");
    expect(text).toContain("; all heads together, on average, +3.00");
  });

  test("are named by the answers on either side", () => {
    expect(endWords(shown(heads()), TARGET).map(plain)).toEqual(["towards ·Mary", "towards ·John"]);
    const alone = targetOf([{ ...ROW, wrong: null }], 0);
    expect(endWords(shown(heads()), alone).map(plain)).toEqual([
      "towards ·Mary",
      "away from ·Mary",
    ]);
  });
});

describe("numbers that sum to nothing known", () => {
  const mine = heads({ checks: [], unit: "" });

  test("have no unit where there is none, and no point stands alone", () => {
    expect(say(mine, null)).toBe("The largest is L1H1's, +4.00.");
    expect(say(mine, [0, 1])).toBe("L0H1: −2.00; the largest is L1H1's, +4.00.");
    expect(say(mine, [1, 1])).toBe("L1H1: +4.00, the largest.");
  });

  test("are called highest and lowest", () => {
    expect(endWords(shown(mine), TARGET).map(plain)).toEqual(["highest", "lowest"]);
  });

  test("of the untouched run say so", () => {
    const changed = heads({ before: [0, 1, NAN, 2] });
    expect(say(changed, [1, 1], [ROW], { show: "before" })).toBe(
      "In the untouched run: L1H1: +2.00 logits, the largest.",
    );
  });
});

describe("a score", () => {
  const scores = (values: number[]) =>
    quantity("layer head", [values.length / 2, 2], values, {
      name: "previous token score",
      unit: "of 1",
      scale: "sequential",
      high: 1,
      measured_on: "this prompt",
    });
  const some = scores([0.25, 0, NAN, 0.75]);

  test("is said beside the highest", () => {
    expect(say(some, [0, 0])).toBe(
      "L0H0 has a previous token score of 0.250 of 1 on this prompt; the highest is L1H1's, 0.750.",
    );
    expect(say(some, [1, 1])).toBe(
      "L1H1 has a previous token score of 0.750 of 1 on this prompt, the highest.",
    );
  });

  test("without a head, or for one that has no score, is the highest", () => {
    const most = "The highest previous token score on this prompt is L1H1's, 0.750 of 1.";
    expect(say(some, null)).toBe(most);
    expect(say(some, [1, 0])).toBe(most);
  });

  test("that is zero everywhere has no highest", () => {
    const none = scores([0, 0]);
    expect(say(none, null)).toBe("No head has a previous token score above 0 on this prompt.");
    expect(say(none, [0, 1])).toBe("L0H1 has a previous token score of 0 of 1 on this prompt.");
  });

  test("names its range in the title", () => {
    expect(plain(whatWords(shown(some), TARGET))).toBe(
      "previous token score on this prompt · 0 to 1",
    );
  });

  test("that nobody has is said as the kernel says it", () => {
    const nothing = { ...scores([NAN, NAN]), blank: "Nothing repeats." };
    expect(say(nothing, null)).toBe("Nothing repeats.");
  });
});

describe("a change", () => {
  const changed = heads({ before: [2, -2, NAN, 0.5] });

  test("is said with both ends and the largest", () => {
    expect(say(changed, [0, 0], [ROW], { show: "change" })).toBe(
      "L0H0 changed by −1.00 logits, from +2.00 to +1.00; the largest change is L1H1's, +3.50 logits.",
    );
    expect(say(changed, null, [ROW], { show: "change" })).toBe(
      "The largest change is L1H1's, +3.50 logits.",
    );
  });

  test("stands in the title", () => {
    expect(plain(whatWords(shown(changed, { show: "change" }), TARGET))).toBe(
      "effect on ·Mary − ·John · logits · change",
    );
  });
});

describe("components", () => {
  const names = ["embed", "L0.attn", "L0.mlp", "L1.attn", "L1.attn_bias", "L1.mlp"];
  const values = [0.25, 1, -2, 4.25, 0.5, 0.5];
  const parts = (more = {}) =>
    quantity("component", [6], values, { coords: { component: names }, checks: [CHECK], ...more });
  const row = { ...ROW, target: { ...ROW.target, value: 4.5 } };

  test("name the part that adds the most, and the sums of each kind", () => {
    expect(say(parts(), null, [row])).toBe(
      "Layer 1's attention adds +4.25 of the 4.50 logits by which ·Mary beats ·John, the most; " +
        "attention together +5.25, MLPs together −1.50, embedding and biases +0.750. " +
        "Blue pushes towards ·Mary.",
    );
  });

  test("name the chosen part, which need not be the most", () => {
    expect(say(parts(), [2], [row])).toContain("Layer 0's MLP adds −2.00 of the 4.50 logits");
    expect(say(parts(), [2], [row])).not.toContain("the most");
  });

  test("speak of the average over prompts", () => {
    expect(say(parts(), [3], [row, row])).toContain(
      "by which ·Mary on average beats ·John, the most",
    );
  });

  test("of arrays have no unit where there is none", () => {
    expect(say(parts({ checks: [], unit: "" }), [2])).toBe(
      "L0.mlp: −2.00; the most is L1.attn's, +4.25.",
    );
  });

  test("take the strongest away from the answer where nothing pushes towards it", () => {
    expect(strongest([-1, -3, 0])).toBe(1);
    expect(strongest([-5, 1, 0])).toBe(1);
    expect(strongest([0, 0])).toBe(0);
    expect(strongest([NAN, -1, 2])).toBe(2);
  });
});

test("a cell is chosen by what its axes name", () => {
  const pairs = shown(quantity("query key", [2, 2], [1, 2, 3, 4]));
  expect(chosenAt(pairs, { ...NOTHING_SELECTED, position: 1, key: 0 }, RUN)).toEqual([1, 0]);
});
