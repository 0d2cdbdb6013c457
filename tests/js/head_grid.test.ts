import { expect, test } from "vitest";
import type { Answer } from "../../js/lib/ask";
import { headsOf, inOrder, sideOf, smallMap } from "../../js/views/head_grid/order";
import { onFirst } from "../../js/views/head_grid/words";
import { ordinal } from "../../js/views/head_readout/words";

const RUN = { n_layers: 3, n_heads: 2 };

test("the heads shown are those of a layer, or the pinned ones that the run has", () => {
  expect(headsOf("selected layer", [1, 0], [], RUN)).toEqual([
    [1, 0],
    [1, 1],
  ]);
  expect(headsOf("selected layer", [9, 0], [], RUN)[0]).toEqual([2, 0]);
  expect(headsOf("layer 0", [1, 0], [], RUN)[0]).toEqual([0, 0]);
  expect(headsOf("layer 7", null, [], RUN)).toEqual([]);
  expect(headsOf("pinned heads", null, ["L2H1", "L1.mlp", "L5H0"], RUN)).toEqual([[2, 1]]);
});

test("the largest stands first, and heads without a number last", () => {
  const values = { shape: [1, 1, 3], data: new Float32Array([1, Number.NaN, 5]) };
  const order = inOrder(
    [
      [0, 0],
      [0, 1],
      [0, 2],
    ],
    values,
    0,
  );
  expect(order.map(({ head }) => head[1])).toEqual([2, 0, 1]);
});

test("a side is told from the cells of a triangle or of a square", () => {
  expect([sideOf(36, true), sideOf(36, false), sideOf(1, true)]).toEqual([8, 6, 1]);
});

test("a small map is one that came ahead, or one that was sent", () => {
  const ahead = { shape: [1, 2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) };
  const weights = { shape: [3], data: new Float32Array([7, 8, 9]) };
  const answer = { info: {}, error: null, floats: () => weights } as unknown as Answer;
  const asked = {
    get: (run: number, key: string) => (`${run} ${key}` === "7 map/0/L0H1" ? answer : null),
  };
  expect([...smallMap([0, 1], 7, 0, ahead, asked, true)!.weights]).toEqual([4, 5, 6]);
  expect([...smallMap([0, 1], 7, 0, null, asked, true)!.weights]).toEqual([7, 8, 9]);
  expect(smallMap([0, 0], 7, 0, null, asked, true)).toBeNull();
});

test("what is paid to the first token leaves the first query out", () => {
  const weights = new Float32Array([1, 0.5, 0.5, 0.2, 0.3, 0.5]);
  expect(onFirst({ length: 3, weights })).toBeCloseTo(0.35);
});

test("ranks have their endings", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal)).toEqual([
    "1st",
    "2nd",
    "3rd",
    "4th",
    "11th",
    "12th",
    "13th",
    "21st",
    "102nd",
    "111th",
  ]);
});
