import { expect, test } from "vitest";
import {
  inUnit,
  number,
  precise,
  preciseSigned,
  probability,
  signed,
  titleUnit,
} from "../../js/lib/number";

test.each([
  [0, "0"],
  [10.8024, "10.80"],
  [3.0838, "3.08"],
  [-0.4174, "−0.417"],
  [0.04172, "0.0417"],
  [123.4, "123"],
  [99.7, "100"],
  [12345.6, "12,346"],
  [1e-9, "0"],
  [0.99996, "1.000"],
  [Number.NaN, "–"],
])("%d is written %s", (value, text) => expect(number(value)).toBe(text));

test("signs are always there, but on zero", () => {
  expect([2, -2, 0, -1e-9].map(signed)).toEqual(["+2.00", "−2.00", "0", "0"]);
});

test("tooltips have a digit more", () => {
  expect([3.08379, 0.041724].map(precise)).toEqual(["3.084", "0.04172"]);
  expect(preciseSigned(-1.7667)).toBe("−1.767");
});

test("no number is written with an exponent", () => {
  for (let power = -12; power < 12; power++) {
    for (const write of [number, precise, signed])
      expect(write(3.7 * 10 ** power)).not.toMatch(/e/);
  }
});

test("probabilities are neither zero nor one where they are only nearly so", () => {
  const written = [0, 0.0001, 0.0234, 0.9996, 1].map((value) => probability(value));
  expect(written).toEqual(["0.000", "<0.001", "0.023", ">0.999", "1.000"]);
  expect([0.9996, 0.994, 1].map((value) => probability(value, 2))).toEqual([
    ">0.99",
    "0.99",
    "1.00",
  ]);
});

test("a number without a unit has nothing behind it", () => {
  expect([inUnit("+3.08", "logits"), inUnit("+3.08", "")]).toEqual(["+3.08 logits", "+3.08"]);
  expect([titleUnit("logits"), titleUnit("")]).toEqual([" · logits", ""]);
});
