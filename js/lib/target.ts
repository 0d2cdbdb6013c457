/** Put the number being explained into words: which answer it favours, over one prompt or several. */

import { number } from "./number";
import { type Part, token } from "./sentence";
import type { Answer, Row } from "./state";

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
  /** Whether that answer is explained by its logit or its log-probability. */
  alone: "log-probability" | "logit";
  /** "·Mary − ·John", as in title rows. */
  name: Part[];
};

/** Describe the target of one row, or its mean over all when `row` is null. */
export function targetOf(rows: Row[], row: number | null): TargetWords {
  const chosen = row === null ? rows : rows.slice(row, row + 1);
  const [first] = chosen;
  const right = side(chosen, "right", "the right answer");
  const wrong = side(chosen, "wrong", "the wrong answer");
  const mean = (of: (row: Row) => number | null) =>
    chosen.reduce((sum, one) => sum + (of(one) ?? Number.NaN), 0) / Math.max(1, chosen.length);
  const named = first && !first.right ? [first.target.name] : [right ?? ""];
  return {
    rows: chosen,
    value: mean((one) => one.target.value),
    before: first?.before ? mean((one) => one.before?.value ?? null) : null,
    unit: first?.target.unit ?? "",
    right: right ?? first?.target.name ?? "the target",
    wrong,
    alone: first?.target.unit === "logits" ? "logit" : "log-probability",
    name: right && wrong ? [right, " − ", wrong] : named,
  };
}

/** "of the 10.80 logits by which ·Mary beats ·John", or where it does not "logits to ·Mary − ·John, −2.13". */
export function ofTarget({ value, unit, right, wrong, alone, rows }: TargetWords): Part[] {
  const mean = rows.length > 1 ? "on average " : "";
  if (wrong && value < 0) {
    return [`${unit} to `, right, " − ", wrong, `, ${mean}${number(value)}`];
  }
  if (wrong) {
    return [`of the ${number(value)} ${unit} by which `, right, ` ${mean}beats `, wrong];
  }
  const kind = rows[0]?.right ? `the ${alone} of ` : "";
  return ["to ", kind, right, `, ${mean}${number(value)} ${unit}`];
}

function side(rows: Row[], which: "right" | "wrong", several: string): Part | null {
  const answers = rows.map((row) => row[which]).filter((one): one is Answer => one !== null);
  const [first] = answers;
  if (!first || answers.length < rows.length) return null;
  return answers.every((answer) => answer.text === first.text) ? token(first.text) : several;
}
