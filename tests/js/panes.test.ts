import { expect, test } from "vitest";
import { holds, paneAfter, paneAt } from "../../js/views/attention_pattern/panes";

test("a pane stands about its cell, and never beyond the map", () => {
  expect(paneAt(500, 300, 48, 1000)).toEqual({ row: 476, col: 276, side: 48 });
  expect(paneAt(999, 2, 48, 1000)).toEqual({ row: 952, col: 0, side: 48 });
  expect(paneAt(5, 5, 48, 20)).toEqual({ row: 0, col: 0, side: 20 });
});

test("a pane holds what it shows, a query alone as well", () => {
  const pane = { row: 100, col: 50, side: 10 };
  expect(holds(pane, 109, 59)).toBe(true);
  expect(holds(pane, 110, 59)).toBe(false);
  expect(holds(pane, 109, 60)).toBe(false);
  expect(holds(pane, 109, null)).toBe(true);
});

test("an arrow key moves it half of itself on, another key does nothing", () => {
  const pane = { row: 100, col: 50, side: 10 };
  expect(paneAfter(pane, "ArrowDown", 1000)).toEqual({ row: 105, col: 50, side: 10 });
  expect(paneAfter(pane, "ArrowLeft", 1000)).toEqual({ row: 100, col: 45, side: 10 });
  expect(paneAfter({ row: 990, col: 0, side: 10 }, "ArrowDown", 1000)?.row).toBe(990);
  expect(paneAfter(pane, "Enter", 1000)).toBeNull();
});
