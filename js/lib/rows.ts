/** One prompt's numbers, or those of all prompts together, with the check that belongs to them. */

import * as words from "../../src/residscope/data/words.json";
import type { Check } from "./frame";
import { number } from "./number";
import type { Tensor } from "./wire";
import { filled } from "./words";

export type CheckInfo = {
  sum: number;
  target: number;
  difference: number;
  tolerance: number;
  ok: boolean;
  reason: string;
};

/** The row to show of `rows`: null for the mean over several. */
export function chosenRow(wanted: number | null, rows: number): number | null {
  if (rows === 1) return 0;
  return wanted !== null && wanted < rows ? wanted : null;
}

/** Why the selected row cannot be shown, or null. */
export function missingRow(wanted: number | null, rows: number): string | null {
  if (wanted === null || wanted < rows) return null;
  return `Prompt ${wanted} is not in this run, which has ${rows}.`;
}

/** Take one row of a tensor whose first axis is rows, or the mean over those that have a number when `row` is null. */
export function rowOrMean({ shape, data }: Tensor, row: number | null): Float32Array {
  const rows = shape[0] ?? 0;
  const size = rows && data.length / rows;
  if (row !== null) return data.slice(row * size, (row + 1) * size);
  const counts = new Uint32Array(size);
  const values = new Float32Array(size);
  for (let i = 0; i < data.length; i++) {
    if (Number.isNaN(data[i]!)) continue;
    counts[i % size]!++;
    values[i % size]! += data[i]!;
  }
  return values.map((sum, i) => sum / counts[i]!);
}

/** How many prompts a mean is over: "mean of 2 prompts", "mean of 1 of 2 prompts" where the others have no number. */
export function meanWords({ shape, data }: Tensor, row: number | null): string {
  const rows = shape[0] ?? 0;
  if (row !== null || rows < 2) return "";
  const size = data.length / rows;
  const counted = Array.from({ length: rows }, (_, i) =>
    data.subarray(i * size, (i + 1) * size).some((value) => !Number.isNaN(value)),
  ).filter(Boolean).length;
  return filled(counted === rows ? words.mean : words.mean_some, { some: counted, all: rows });
}

/** The check of one row, or the worst of all rows. */
export function checkOf(checks: CheckInfo[], row: number | null): Check | null {
  const chosen = row === null ? [...checks].sort(worstFirst)[0] : checks[row];
  if (!chosen) return null;
  const { sum, target, ok, reason } = chosen;
  const both = { sum: number(sum), target: number(target) };
  const text = filled(ok ? words.sum_holds : words.sum_fails, both);
  const worst = row === null && checks.length > 1;
  return { text: worst ? filled(words.sum_worst, { sum: text }) : text, ok, reason };
}

function worstFirst(a: CheckInfo, b: CheckInfo): number {
  return Number(a.ok) - Number(b.ok) || Math.abs(b.difference) - Math.abs(a.difference);
}
