import { describe, expect, test } from "vitest";
import {
  cutHead,
  hasAttention,
  keysOf,
  type Pattern,
  queriesOf,
  share,
  shrink,
  weightAt,
} from "../../js/lib/pattern";
import { plain } from "../../js/lib/sentence";
import type { Theme } from "../../js/lib/theme";
import { numbersOf } from "../../js/views/attention_pattern/numbers";
import { sentence } from "../../js/views/attention_pattern/words";

const PATTERN: Pattern = {
  length: 3,
  weights: new Float32Array([1, 0.25, 0.75, 0.5, 0.125, 0.375]),
};
const NAMES = ["BOS", " a", "b"];
const name = (position: number) => ({ text: NAMES[position]!, special: false });

test("a weight stands at its query and key, and nowhere after the query", () => {
  expect(weightAt(PATTERN, 1, 0)).toBe(0.25);
  expect(weightAt(PATTERN, 2, 2)).toBe(0.375);
  expect(weightAt(PATTERN, 1, 2)).toBeNaN();
  expect(weightAt(PATTERN, 3, 0)).toBeNaN();
});

test("where a token looks and what looks at it come strongest first", () => {
  expect(keysOf(PATTERN, 2, 2).map((look) => look.position)).toEqual([0, 2]);
  expect(queriesOf(PATTERN, 1, 5)).toEqual([
    { position: 1, weight: 0.75 },
    { position: 2, weight: 0.125 },
  ]);
  expect(keysOf(PATTERN, 9, 2)).toEqual([]);
});

test("a head is cut from its row's patterns by layer and head", () => {
  const data = new Float32Array(2 * 3 * 6).map((_, i) => i);
  const { weights } = cutHead({ shape: [2, 3, 6], data }, [1, 2], 3);
  expect([...weights]).toEqual([30, 31, 32, 33, 34, 35]);
});

test("a layer of NaN has no attention", () => {
  expect(hasAttention(PATTERN)).toBe(true);
  expect(hasAttention({ length: 1, weights: new Float32Array([Number.NaN]) })).toBe(false);
});

test("a long pattern is made small by the most under each cell", () => {
  const length = 8;
  const weights = new Float32Array(36);
  weights[(7 * 8) / 2 + 2] = 0.9;
  const small = shrink({ length, weights }, 4);
  expect(small.length).toBe(4);
  expect(weightAt(small, 3, 1)).toBeCloseTo(0.9);
  expect(weightAt(small, 3, 0)).toBe(0);
  expect(weightAt(small, 0, 1)).toBeNaN();
  expect(shrink(PATTERN, 4)).toBe(PATTERN);
});

test("a share has two decimals", () => {
  expect([0, 0.003, 0.0417, 1].map(share)).toEqual(["0.00", "<0.01", "0.04", "1.00"]);
});

describe("the sentence", () => {
  const say = (query: number, key: number | null) =>
    plain(sentence(PATTERN, numbersOf("attention", "logits", true), [3, 7], query, key, name));

  test("names the two keys looked at most", () => {
    expect(say(2, null)).toBe("L3H7 at b (2) looks most at BOS (0) with 0.50; then b (2) 0.38.");
  });

  test("adds the selected key", () => {
    expect(say(2, 1)).toContain("; at ·a (1) 0.13.");
    expect(say(2, 0)).not.toContain("; at");
    expect(say(1, 2)).not.toContain("; at");
  });

  test("leaves out what gets nothing", () => {
    expect(say(0, null)).toBe("L3H7 at BOS (0) looks most at BOS (0) with 1.00.");
  });

  test("says of other colours what is moved, the largest of either sign first", () => {
    const moved: Pattern = { length: 3, weights: new Float32Array([0, 0, 0, 1.5, -2.25, 0.001]) };
    const said = (colour: string) =>
      plain(sentence(moved, numbersOf(colour, "logits", true), [3, 7], 2, null, name));
    expect(said("direct effect")).toBe(
      "L3H7 at b (2) moves most from ·a (1) with −2.25 logits; then BOS (0) +1.50 logits.",
    );
    expect(said("value-weighted")).toContain("moves most from ·a (1) with length");
  });
});

describe("the colours", () => {
  const theme = { dark: false, page: [255, 255, 255], ink: [0, 0, 0] } as unknown as Theme;
  const other: Pattern = { length: 3, weights: new Float32Array([9, 0, 3, -4, 0, 0]) };
  const ends = (colour: string, hideFirst: boolean) => {
    const { low, high } = numbersOf(colour, "logits", true).scale(
      [PATTERN, other],
      hideFirst,
      theme,
    );
    return [low, high];
  };

  test("of attention run from 0 to 1, or without the first token to the largest left", () => {
    expect(ends("attention", false)).toEqual([0, 1]);
    expect(numbersOf("attention", "", true).scale([PATTERN], true, theme).high).toBe(0.75);
  });

  test("of what is moved run to the largest of all that is shown, signed where effects are", () => {
    expect(ends("value-weighted", false)).toEqual([0, 9]);
    expect(ends("direct effect", false)).toEqual([-9, 9]);
    expect(ends("direct effect", true)).toEqual([-3, 3]);
  });
});
