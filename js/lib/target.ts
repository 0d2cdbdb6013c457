/** Put the number being explained into words: which answer it favours, over one prompt or several. */

import * as words from "../../src/residscope/data/words.json";
import { inUnit, number } from "./number";
import { type Part, token } from "./sentence";
import type { Answer, Row } from "./state";
import { fill } from "./words";

export type TargetWords = {
  /** The rows that the number is of. */
  rows: Row[];
  /** The mean of the target over the rows; NaN for arrays, which have no model. */
  value: number;
  /** The same on the untouched run, where there are interventions. */
  before: number | null;
  unit: string;
  right: Part;
  /** Null where one answer alone is explained. */
  wrong: Part | null;
  /** "·Mary − ·John", as in title rows. */
  name: Part[];
};

/** Describe the target of one row, or its mean over all when `row` is null. */
export function targetOf(rows: Row[], row: number | null): TargetWords {
  const chosen = row === null ? rows : rows.slice(row, row + 1);
  const [first] = chosen;
  const right = side(chosen, "right", words.target_right);
  const wrong = side(chosen, "wrong", words.target_wrong);
  const mean = (of: (row: Row) => number | null) =>
    chosen.reduce((sum, one) => sum + (of(one) ?? Number.NaN), 0) / Math.max(1, chosen.length);
  const named = first && !first.right ? [first.target.name] : [right ?? ""];
  return {
    rows: chosen,
    value: mean((one) => one.target.value),
    before: first?.before ? mean((one) => one.before?.value ?? null) : null,
    unit: first?.target.unit ?? "",
    right: right ?? first?.target.name ?? words.target_none,
    wrong,
    name: right && wrong ? fill(words.target_both, { right, wrong }) : named,
  };
}

/** "of the 10.80 logits by which ·Mary beats ·John", or where it does not "logits to ·Mary − ·John, −2.13". */
export function ofTarget(target: TargetWords): Part[] {
  const { unit, right, wrong, rows } = target;
  const mean = rows.length > 1 ? words.aim_mean : "";
  const value = number(target.value);
  if (!wrong) {
    const name = rows[0]?.right ? aloneOf(target) : right;
    return fill(words.aim_alone, { name, mean, value, unit });
  }
  const order = target.value < 0 ? words.aim_behind : words.aim_beats;
  return fill(order, { right, wrong, mean, value, unit });
}

/** "·Mary is ahead of ·John by 10.80 logits", "the logit of ·Mary is 9.50 logits". */
export function whereTarget(target: TargetWords, value: number): Part[] {
  const { unit, right, wrong, rows } = target;
  if (!wrong) {
    const name = rows[0]?.right ? aloneOf(target) : target.name;
    return fill(words.target_is, { name, value: inUnit(number(value), unit) });
  }
  const order = value < 0 ? words.target_behind : words.target_ahead;
  return fill(order, { right, wrong, value: number(Math.abs(value)), unit });
}

/** "the logit of ·Mary", where one answer alone is explained. */
function aloneOf(target: TargetWords): Part[] {
  return fill(words.target_alone, { kind: kindOf(target), right: target.right });
}

/** "logit", or "log-probability". */
export function kindOf({ unit }: TargetWords): string {
  return unit === "logits" ? words.target_logit : words.target_log_probability;
}

function side(rows: Row[], which: "right" | "wrong", several: string): Part | null {
  const answers = rows.map((row) => row[which]).filter((one): one is Answer => one !== null);
  const [first] = answers;
  if (!first || answers.length < rows.length) return null;
  return answers.every((answer) => answer.text === first.text) ? token(first.text) : several;
}
