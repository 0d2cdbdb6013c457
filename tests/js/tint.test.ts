import { expect, test } from "vitest";
import type { Theme } from "../../js/lib/theme";
import { tintOf } from "../../js/views/token_strip/tint";

const theme = { dark: false, page: [255, 255, 255], ink: [0, 0, 0] } as unknown as Theme;
const SOURCES = {
  shape: [1, 2, 2, 2],
  data: new Float32Array([1, 2, 0.5, -4, Number.NaN, Number.NaN, Number.NaN, Number.NaN]),
};

const CALLED = { unit: "logits", called: "direct effect" };

test("without a head all heads are summed, those that do not exist left out", () => {
  const { rows, scale, whose } = tintOf(SOURCES, null, CALLED, theme);
  expect(rows.map((row) => [...row])).toEqual([[1.5, -2]]);
  expect([scale.low, scale.high, whose]).toEqual([-2, 2, "all heads"]);
});

test("a token that no head has a number for stays blank", () => {
  const sources = { shape: [1, 1, 1, 2], data: new Float32Array([Number.NaN, 3]) };
  expect([...tintOf(sources, null, CALLED, theme).rows[0]!]).toEqual([Number.NaN, 3]);
});

test("the selected head is taken alone, and one outside the run is not taken", () => {
  const alone = tintOf(SOURCES, [0, 1], CALLED, theme);
  expect([[...alone.rows[0]!], alone.whose]).toEqual([[0.5, -4], "L0H1"]);
  expect(tintOf(SOURCES, [5, 0], CALLED, theme).whose).toBe("all heads");
});

test("numbers of arrays are called as their maker calls them", () => {
  expect(tintOf(SOURCES, null, CALLED, theme).told).toBe("direct effect through all heads");
  const arrays = { unit: "", called: "surprise" };
  expect(tintOf(SOURCES, null, arrays, theme).told).toBe("surprise");
});
