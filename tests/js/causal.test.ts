import { expect, it } from "vitest";
import { compared } from "../../js/views/head_readout/causal";

it.each([
  [2, 1.8, "in line with its direct effect"],
  [-2, -3.5, "in line with its direct effect"],
  [2, 0.3, "much less than its direct effect: later parts make up for it"],
  [0.1, 3, "much more than its direct effect: it works through later layers"],
  [-1, 2, "the opposite of its direct effect: later layers turn it round"],
])("a head that writes %f and costs %f costs what is %s", (direct, causal, words) => {
  expect(compared(direct, causal)).toBe(words);
});
