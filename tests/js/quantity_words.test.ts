import { expect, test } from "vitest";
import { chosenAt } from "../../js/lib/quantity";
import { ends, ranked, strongest } from "../../js/lib/quantity-words";
import { NOTHING_SELECTED } from "../../js/lib/state";
import cases from "../said.json";
import { quantity, RUN, shown } from "./quantities";
import { type Case, said } from "./said";

const NAN = Number.NaN;
const heads = () => quantity("layer head", [2, 2], [1, -2, NAN, 4]);

test.each(cases as unknown as (Case & ReturnType<typeof said>)[])("$about: in words", (one) => {
  const { says, what, ends } = one;
  expect(said(one)).toEqual({ says, what, ends });
});

test("cells are ranked on either side, those that do not exist left out", () => {
  const { high, low } = ends(ranked(shown(heads())), 3);
  expect(high.map(({ at }) => at)).toEqual([
    [1, 1],
    [0, 0],
  ]);
  expect(low).toEqual([{ at: [0, 1], value: -2 }]);
});

test("the strongest part is taken away from the answer where nothing pushes towards it", () => {
  expect(strongest([-1, -3, 0])).toBe(1);
  expect(strongest([-5, 1, 0])).toBe(1);
  expect(strongest([0, 0])).toBe(0);
  expect(strongest([NAN, -1, 2])).toBe(2);
});

test("a cell is chosen by what its axes name", () => {
  const pairs = shown(quantity("query key", [2, 2], [1, 2, 3, 4]));
  expect(chosenAt(pairs, { ...NOTHING_SELECTED, position: 1, key: 0 }, RUN)).toEqual([1, 0]);
});
