/** Quantities for tests, as the kernel sends them, and one row of a prompt. */

import { type Info, type Quantity, type Shown, shownOf } from "../../js/lib/quantity";
import type { Header, Row, SelectionState } from "../../js/lib/state";
import { NOTHING_SELECTED } from "../../js/lib/state";

export const ROW: Row = {
  prompt: "",
  ids: [],
  template: [],
  target_position: 14,
  right: { ids: [1], text: " Mary" },
  wrong: { ids: [2], text: " John" },
  target: { name: "' Mary' − ' John'", value: 10.8024, unit: "logits" },
  right_prob: 0.99,
  before: null,
  right_rank: 0,
};

export const RUN: Header = {
  number: 1,
  rows: [ROW],
  texts: { 5: "When", 6: " Mary", 7: " to" },
  specials: [],
  bos: null,
  depths: ["embed", "0.mid", "0.post", "1.mid", "output"],
  n_layers: 2,
  n_heads: 2,
  interventions: [],
  answered: [],
  model: null,
  warnings: [],
};

export const CHECK = { sum: 1, target: 1, difference: 0, tolerance: 1, ok: true, reason: "" };

/** A quantity of these axes, sizes and numbers. */
export function quantity(
  dims: string,
  shape: number[],
  values: number[],
  more: Partial<Info> & { before?: number[]; labels?: number[] } = {},
): Quantity {
  const { before, labels, ...info } = more;
  return {
    name: "effect",
    unit: "logits",
    dims: dims.split(" "),
    coords: {},
    scale: "signed",
    high: null,
    checks: [],
    lengths: null,
    measured_on: "",
    blank: "",
    texts: null,
    ...info,
    values: { shape, data: new Float32Array(values) },
    moved: null,
    before: before ? { shape, data: new Float32Array(before) } : null,
    labels: labels ? new Int32Array(labels) : null,
  };
}

/** What is shown of one quantity. */
export function shown(
  of: Quantity,
  selected: Partial<SelectionState> = {},
  run: Header = {
    ...RUN,
    rows: Array.from({ length: of.dims[0] === "row" ? of.values.shape[0]! : 1 }, () => ROW),
  },
): Shown {
  return shownOf([of], { ...NOTHING_SELECTED, ...selected }, run)[0]!;
}
