/** The heads' numbers on one row or on average, the strongest of them, and the sentence about them. */

import { inUnit, signed } from "../../lib/number";
import { type Diverging, positiveName } from "../../lib/palette";
import { rowOrMean } from "../../lib/rows";
import { type Part, strong } from "../../lib/sentence";
import { type Head, headName } from "../../lib/state";
import { ofTarget, type TargetWords } from "../../lib/target";
import type { Tensor } from "../../lib/wire";

/** The heads' effects on one row, or their mean over rows: [layer head], flat. */
export type Effects = { layers: number; heads: number; values: Float32Array };

export type Ranked = { head: Head; value: number };

/** Take one row of `values` [row layer head], or the mean over rows when `row` is null. */
export function effectsOf(tensor: Tensor, row: number | null): Effects {
  const [, layers = 0, heads = 0] = tensor.shape;
  return { layers, heads, values: rowOrMean(tensor, row) };
}

/** The heads that push most to either side, strongest first. */
export function topHeads({ heads, values }: Effects, count: number) {
  const ranked = Array.from(values, (value, i): Ranked => {
    return { head: [Math.floor(i / heads), i % heads], value };
  }).filter(({ value }) => !Number.isNaN(value));
  ranked.sort((a, b) => b.value - a.value);
  return {
    towards: ranked.filter(({ value }) => value > 0).slice(0, count),
    against: ranked
      .filter(({ value }) => value < 0)
      .slice(-count)
      .reverse(),
  };
}

export function sentence(
  effects: Effects,
  head: Head | null,
  total: number,
  target: TargetWords,
  palette: Diverging,
): Part[] {
  const together =
    target.rows.length > 1 ? "all heads together, on average, " : "all heads together ";
  const colours: Part[] = [`. ${positiveName(palette)} pushes towards `, target.right, "."];
  const value = head ? valueAt(effects, head) : Number.NaN;
  if (Number.isNaN(target.value)) return ofArrays(effects, head, value, target.unit);
  if (head && !Number.isNaN(value)) {
    const adds: Part[] = [strong(headName(head)), " adds ", strong(signed(value)), " "];
    return [...adds, ...ofTarget(target), `; ${together}${signed(total)}`, ...colours];
  }
  const [strongest] = topHeads(effects, 1).towards;
  const most = strongest
    ? `, most from ${headName(strongest.head)} (${signed(strongest.value)})`
    : "";
  const all: Part[] = ["All heads together add ", strong(signed(total)), " "];
  return [...all, ...ofTarget(target), most, ...colours];
}

/** "L3H1: +3.08 logits; the largest is L1H0's, +4.10 logits." Numbers of arrays need not sum to anything. */
function ofArrays(effects: Effects, head: Head | null, value: number, unit: string): Part[] {
  const { towards, against } = topHeads(effects, 1);
  const ends = [...towards, ...against].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const said = (amount: number) => inUnit(signed(amount), unit);
  const most = ends[0] ? `${headName(ends[0].head)}'s, ${said(ends[0].value)}` : "none";
  if (!head || Number.isNaN(value)) return [`The largest is ${most}.`];
  const own = [strong(headName(head)), ": ", strong(said(value))];
  const isMost = ends[0] && headName(ends[0].head) === headName(head);
  return isMost ? [...own, ", the largest."] : [...own, `; the largest is ${most}.`];
}

/** Why what is selected cannot be shown, or null. */
export function notInRun(effects: Effects, head: Head | null) {
  if (!head || (head[0] < effects.layers && head[1] < effects.heads)) return null;
  const size = `${effects.layers} layers of ${effects.heads} heads`;
  return `${headName(head)} is not in this run, which has ${size}.`;
}

export function valueAt({ layers, heads, values }: Effects, [layer, head]: Head): number {
  return layer < layers && head < heads ? values[layer * heads + head]! : Number.NaN;
}
