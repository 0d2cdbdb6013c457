/** One prompt's numbers, or those of all prompts together, with the check that belongs to them. */

import type { Check } from "./frame";
import { number } from "./number";
import type { Tensor } from "./wire";

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

/** Take one row of a tensor whose first axis is rows, or the mean over them when `row` is null. */
export function rowOrMean({ shape, data }: Tensor, row: number | null): Float32Array {
  const rows = shape[0] ?? 0;
  const size = rows && data.length / rows;
  if (row !== null) return data.slice(row * size, (row + 1) * size);
  const values = new Float32Array(size);
  for (let i = 0; i < data.length; i++) values[i % size]! += data[i]! / rows;
  return values;
}

/** The check of one row, or the worst of all rows. */
export function checkOf(checks: CheckInfo[], row: number | null): Check | null {
  const chosen = row === null ? [...checks].sort(worstFirst)[0] : checks[row];
  if (!chosen) return null;
  const { sum, target, ok, reason } = chosen;
  return { text: `sum ${number(sum)} ${ok ? "=" : "≠"} ${number(target)}`, ok, reason };
}

function worstFirst(a: CheckInfo, b: CheckInfo): number {
  return Number(a.ok) - Number(b.ok) || Math.abs(b.difference) - Math.abs(a.difference);
}
