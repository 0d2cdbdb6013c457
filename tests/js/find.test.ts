import { describe, expect, test } from "vitest";
import { findIn, nextOf } from "../../js/lib/find";
import {
  breakLines,
  LINE_HEIGHT,
  linesInSight,
  scrollToLine,
} from "../../js/views/token_strip/lines";

describe("finding", () => {
  const texts = ["When", " Mary", " and", " Ma", "ry", " met", " MARY"];

  test("looks across the tokens' edges, in either case, and names the token it begins in", () => {
    expect(findIn(texts, "mary")).toEqual([1, 3, 6]);
    expect(findIn(texts, " mary m")).toEqual([3]);
    expect(findIn(texts, "zoe")).toEqual([]);
    expect(findIn(texts, "")).toEqual([]);
    expect(findIn(["aaa"], "a")).toEqual([0]);
  });

  test("goes on from where we are, and round", () => {
    expect(nextOf([1, 3, 6], 1, false)).toBe(3);
    expect(nextOf([1, 3, 6], 6, false)).toBe(1);
    expect(nextOf([1, 3, 6], 3, true)).toBe(1);
    expect(nextOf([1, 3, 6], 0, true)).toBe(6);
    expect(nextOf([], 0, false)).toBeNull();
  });
});

describe("lines", () => {
  const never = () => false;

  test("are broken where the next token does not fit, and hold every token once", () => {
    expect(breakLines(2, [40, 40, 40, 120, 10], never, 100)).toEqual([
      { row: 2, from: 0, to: 2 },
      { row: 2, from: 2, to: 3 },
      { row: 2, from: 3, to: 4 },
      { row: 2, from: 4, to: 5 },
    ]);
    expect(breakLines(0, [], never, 100)).toEqual([]);
  });

  test("end after a newline", () => {
    const lines = breakLines(0, [10, 10, 10], (position) => position === 1, 100);
    expect(lines.map(({ from, to }) => [from, to])).toEqual([
      [0, 2],
      [2, 3],
    ]);
  });

  test("are drawn where they are in sight, and scrolled to no further than they must", () => {
    expect(linesInSight(1000, 0, 320)).toEqual([0, 17]);
    const [first, last] = linesInSight(1000, 500 * LINE_HEIGHT, 320);
    expect(first).toBe(496);
    expect(last).toBeLessThan(520);
    expect(scrollToLine(3, 0, 320)).toBe(0);
    expect(scrollToLine(100, 0, 320)).toBe(10 + 101 * LINE_HEIGHT + 4 - 320);
    expect(scrollToLine(2, 500, 320)).toBe(2 * LINE_HEIGHT);
  });
});
