import { describe, expect, test } from "vitest";
import { cellBox, type GridRequest, layOut, move, spotAt, ticks } from "../../js/lib/grid";

const REQUEST: GridRequest = {
  rows: 4,
  cols: 8,
  upward: true,
  margin: { left: 25, right: 4, top: 4, bottom: 24 },
  available: 600,
  tallest: 400,
  size: [2, 28],
  ratio: 1,
};

describe("a map", () => {
  test("has square cells of at most 28 px, and layer 0 at the bottom", () => {
    const grid = layOut(REQUEST);
    expect([grid.cellWidth, grid.cellHeight, grid.gap]).toEqual([28, 28, 1]);
    expect(cellBox(grid, { row: 0, col: 0 }).y).toBe(4 + 3 * 28);
  });

  test("has no gaps where cells are small", () => {
    expect(layOut({ ...REQUEST, cols: 100 }).gap).toBe(0);
  });

  test.each([1, 1.25, 1.5, 2, 3])("falls on whole device pixels at ratio %d", (ratio) => {
    const grid = layOut({ ...REQUEST, available: 213, ratio });
    for (const length of [grid.left, grid.top, grid.cellWidth, grid.cellHeight]) {
      expect(length * ratio).toBeCloseTo(Math.round(length * ratio), 9);
    }
  });

  test("finds under a point the cell that is drawn there", () => {
    const grid = layOut(REQUEST);
    for (let row = 0; row < 4; row++) {
      for (let col = 0; col < 8; col++) {
        const { x, y, width, height } = cellBox(grid, { row, col });
        expect(spotAt(grid, x + width / 2, y + height / 2)).toEqual({ row, col });
      }
    }
    expect(spotAt(grid, 5, 10)).toEqual({ row: 3, col: null });
    expect(spotAt(grid, 30, 4 + 4 * 28 + 5)).toEqual({ row: null, col: 0 });
    expect(spotAt(grid, 5, 4 + 4 * 28 + 5)).toBeNull();
  });

  test("leads the keyboard to the edges and no further", () => {
    const grid = layOut(REQUEST);
    const from = { row: 3, col: 7 };
    expect(move(grid, from, "ArrowUp", false)).toEqual(from);
    expect(move(grid, from, "ArrowDown", false)).toEqual({ row: 2, col: 7 });
    expect(move(grid, from, "Home", false)).toEqual({ row: 3, col: 0 });
    expect(move(grid, from, "End", true)).toEqual({ row: 0, col: 7 });
    expect(move(grid, from, "x", false)).toBeNull();
  });
});

test.each([
  [8, 28, 10, [0, 1, 2, 3, 4, 5, 6, 7]],
  [12, 6, 14, [0, 4, 8, 11]],
  [1, 28, 10, [0]],
  [0, 28, 10, []],
])("%i labels in cells of %i px keep the first and the last", (count, cell, label, kept) => {
  expect(ticks(count, cell, label)).toEqual(kept);
});
