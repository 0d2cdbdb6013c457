import { describe, expect, test } from "vitest";
import { plain } from "../../js/lib/sentence";
import type { Head } from "../../js/lib/state";
import type { Payload } from "../../js/lib/wire";
import {
  type Cache,
  cacheKey,
  cutHead,
  hasAttention,
  keysOf,
  type Pattern,
  queriesOf,
  remember,
  sentence,
  share,
  shrink,
  weightAt,
} from "../../js/views/attention_pattern/pattern";

const PATTERN: Pattern = {
  length: 3,
  weights: new Float32Array([1, 0.25, 0.75, 0.5, 0.125, 0.375]),
};
const NAMES = ["BOS", " a", "b"];
const name = (position: number) => ({ text: NAMES[position]!, special: false });

function answer(run: number, row: number, heads: Head[], size = 1): Payload {
  const data = new Float32Array(heads.length * size).map((_, i) => run + i / 100);
  return {
    run,
    info: { row, heads },
    names: ["patterns"],
    floats: () => ({ shape: [heads.length, size], data }),
    ints: () => {
      throw new Error("no ints");
    },
  };
}

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

describe("what the kernel has sent", () => {
  test("is found by run, row and head", () => {
    const cache = remember(new Map(), answer(7, 1, [[0, 2]]));
    expect(cache.get(cacheKey(7, 1, [0, 2]))?.[0]).toBe(7);
    expect(cache.has(cacheKey(8, 1, [0, 2]))).toBe(false);
    expect(cache.has(cacheKey(7, 0, [0, 2]))).toBe(false);
    expect(remember(cache, null)).toBe(cache);
  });

  test("is kept for 24 heads, and forgotten oldest first", () => {
    let cache: Cache = new Map();
    for (let head = 0; head < 24; head++) cache = remember(cache, answer(1, 0, [[0, head]]));
    cache = remember(cache, answer(1, 0, [[0, 0]]));
    cache = remember(cache, answer(1, 0, [[1, 1]]));
    expect(cache.size).toBe(24);
    expect(cache.has(cacheKey(1, 0, [0, 0]))).toBe(true);
    expect(cache.has(cacheKey(1, 0, [0, 1]))).toBe(false);
  });

  test("is kept whole when one message brings more", () => {
    const heads = Array.from({ length: 30 }, (_, head): Head => [0, head]);
    expect(remember(new Map(), answer(1, 0, heads)).size).toBe(30);
  });
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
    plain(sentence(PATTERN, [3, 7], query, key, name));

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
});
