import { expect, test } from "vitest";
import { checkOf, chosenRow, meanWords, missingRow, rowOrMean } from "../../js/lib/rows";

test("a row that is not there is the mean, and is said", () => {
  expect([chosenRow(1, 3), chosenRow(null, 3), chosenRow(4, 3)]).toEqual([1, null, null]);
  expect([chosenRow(null, 1), chosenRow(4, 1)]).toEqual([0, 0]);
  expect(missingRow(4, 2)).toBe("Prompt 4 is not in this run, which has 2.");
  expect([missingRow(1, 2), missingRow(null, 2)]).toEqual([null, null]);
});

test("numbers are one row's, or the mean over rows", () => {
  const tensor = { shape: [2, 3], data: new Float32Array([1, -2, Number.NaN, 3, -4, Number.NaN]) };
  expect([...rowOrMean(tensor, 1)]).toEqual([3, -4, Number.NaN]);
  expect([...rowOrMean(tensor, null)]).toEqual([2, -3, Number.NaN]);
  expect([...rowOrMean({ shape: [0, 3], data: new Float32Array() }, null)]).toEqual([]);
});

test("a mean goes over the rows that have a number, and says over how many", () => {
  const none = Number.NaN;
  const tensor = { shape: [2, 3], data: new Float32Array([1, -2, none, none, none, none]) };
  expect([...rowOrMean(tensor, null)]).toEqual([1, -2, none]);
  expect(meanWords(tensor, null)).toBe("mean of 1 of 2 prompts");
  expect(meanWords(tensor, 0)).toBe("");
  const whole = { shape: [2, 1], data: new Float32Array([1, 2]) };
  expect(meanWords(whole, null)).toBe("mean of 2 prompts");
  expect(meanWords({ shape: [1, 2], data: whole.data }, null)).toBe("");
});

test("the check of a mean is that of the worst row", () => {
  const good = { sum: 2, target: 2, difference: 0, tolerance: 1, ok: true, reason: "" };
  const bad = { ...good, sum: 5, difference: 3, ok: false, reason: "a part is missing" };
  expect(checkOf([good, bad], null)).toEqual({
    text: "worst prompt: sum 5.00 ≠ 2.00",
    ok: false,
    reason: "a part is missing",
  });
  expect(checkOf([good, bad], 0)?.text).toBe("sum 2.00 = 2.00");
  expect(checkOf([good], null)?.text).toBe("sum 2.00 = 2.00");
  expect(checkOf([], null)).toBeNull();
});
