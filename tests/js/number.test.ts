import { describe, expect, test } from "vitest";
import {
  inUnit,
  number,
  precise,
  preciseSigned,
  probability,
  signed,
  titleUnit,
} from "../../js/lib/number";
import { share } from "../../js/lib/pattern";
import { visible } from "../../js/lib/tokens";
import written from "../written.json";

const WRITE: Record<keyof typeof written, (value: never) => string> = {
  number,
  signed,
  probability: (value: number) => probability(value),
  share,
  visible,
};

describe.each(Object.entries(written))("%s, as still pictures write it", (kind, cases) => {
  test.each(cases as [unknown, string][])("of %s is %s", (value, text) => {
    expect(WRITE[kind as keyof typeof written]((value ?? Number.NaN) as never)).toBe(text);
  });
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

test("probabilities have as many decimals as are asked for", () => {
  const written = [0.9996, 0.994, 1].map((value) => probability(value, 2));
  expect(written).toEqual([">0.99", "0.99", "1.00"]);
});

test("a number without a unit has nothing behind it", () => {
  expect([inUnit("+3.08", "logits"), inUnit("+3.08", "")]).toEqual(["+3.08 logits", "+3.08"]);
  expect([titleUnit("logits"), titleUnit("")]).toEqual([" · logits", ""]);
});
