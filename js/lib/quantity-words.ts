/** Quantities in words: the title, the two ends, and the sentence under the picture. */

import { aboutParts } from "./components";
import { inUnit, number, signed, titleUnit } from "./number";
import { type Diverging, positiveName } from "./palette";
import { isHeads, nameOf, type Shown } from "./quantity";
import { type Part, strong } from "./sentence";
import type { Header, Show } from "./state";
import { ofTarget, type TargetWords } from "./target";

/** A cell with its number. */
export type Ranked = { at: number[]; value: number };

const WHEN: Record<Show, string> = { now: "", before: " · before", change: " · change" };

/** Whether the numbers are parts of the target, which a check of their sum says. */
export function ofTheTarget({ of }: Shown): boolean {
  return of.checks.length > 0;
}

/** "direct effect on ·Mary − ·John · logits", "induction score on this prompt · 0 to 1". */
export function whatWords(shown: Shown, target: TargetWords): Part[] {
  const { of, show, dims } = shown;
  const on = of.measured_on && ` on ${of.measured_on}`;
  const end = WHEN[show];
  if (ofTheTarget(shown)) {
    const parts = dims[0] === "component" ? " of attention and MLPs" : "";
    return [`${of.name}${parts} on `, ...target.name, titleUnit(of.unit) + end];
  }
  const range = of.scale === "sequential" && of.high !== null && show !== "change";
  const unit = range
    ? ` · 0 to ${of.high}${/^of /.test(of.unit) ? "" : ` ${of.unit}`}`
    : titleUnit(of.unit);
  return [`${of.name}${on}${unit.trimEnd()}${end}`];
}

/** The cells from the largest number to the smallest, those without one left out. */
export function ranked({ values, sizes, stride }: Shown): Ranked[] {
  const [rows = 1, cols = 1] = sizes;
  const cells: Ranked[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      const value = values[i * (sizes.length > 1 ? stride : 1) + j]!;
      if (!Number.isNaN(value)) cells.push({ at: sizes.length > 1 ? [i, j] : [i], value });
    }
  }
  return cells.sort((a, b) => b.value - a.value);
}

/** The cells that are most on either side of zero, the strongest first. */
export function ends(cells: Ranked[], count: number): { high: Ranked[]; low: Ranked[] } {
  return {
    high: cells.filter(({ value }) => value > 0).slice(0, count),
    low: cells
      .filter(({ value }) => value < 0)
      .slice(-count)
      .reverse(),
  };
}

/** What the two ends are called above the lists of the strongest. */
export function endWords(shown: Shown, { right, wrong }: TargetWords): [high: Part[], low: Part[]] {
  if (shown.show === "change") return [["up most"], ["down most"]];
  if (!ofTheTarget(shown)) return [["highest"], ["lowest"]];
  return [["towards ", right], wrong ? ["towards ", wrong] : ["away from ", right]];
}

export type Said = {
  shown: Shown;
  /** The cell that is spoken of, if one is. */
  at: number[] | null;
  value: number;
  cells: Ranked[];
  target: TargetWords;
  palette: Diverging;
  run: Header;
};

/** The sentence about a quantity. */
export function sentence(said: Said): Part[] {
  const { shown } = said;
  if (said.cells.length === 0) return [shown.of.blank || "There are no numbers here."];
  if (shown.show === "change") return changed(said);
  const before: Part[] = shown.show === "before" ? ["In the untouched run: "] : [];
  if (ofTheTarget(shown) && shown.show === "now") return parts(said);
  return [...before, ...(shown.signed ? plainly(said) : scored(said))];
}

/** "L3H1 adds +3.08 of the 10.80 logits by which ·Mary beats ·John; all heads together +9.40. Blue pushes ..." */
function parts({ shown, at, value, cells, target, palette, run }: Said): Part[] {
  const colours: Part[] = [`. ${positiveName(palette)} pushes towards `, target.right, "."];
  const isPart = shown.dims[0] === "component";
  if (isPart) {
    const most = cells.find((one) => one.at[0] === strongest(shown.values))!;
    const own = at ? { at, value } : most;
    const { subject, together } = aboutParts(shown.of.coords.component!, shown.values, own.at[0]!);
    const adds: Part[] = [strong(subject), " adds ", strong(signed(own.value)), " "];
    const isMost = own.at[0] === most.at[0] ? ", the most; " : "; ";
    return [...adds, ...ofTarget(target), isMost, together.join(", "), ...colours];
  }
  const kind = shown.dims.includes("head") ? "heads" : "parts";
  const total = signed(cells.reduce((sum, cell) => sum + cell.value, 0));
  const mean = target.rows.length > 1 ? ", on average," : "";
  if (at) {
    const adds: Part[] = [strong(nameOf(shown, at, run)), " adds ", strong(signed(value)), " "];
    return [...adds, ...ofTarget(target), `; all ${kind} together${mean} ${total}`, ...colours];
  }
  const [first] = ends(cells, 1).high;
  const most = first ? `, most from ${nameOf(shown, first.at, run)} (${signed(first.value)})` : "";
  const all: Part[] = [`All ${kind} together add `, strong(total), " "];
  return [...all, ...ofTarget(target), most, ...colours];
}

/** "L3H1: +3.08 logits; the largest is L1H0's, +4.10 logits." They need not sum to anything. */
function plainly({ shown, at, value, cells, run }: Said): Part[] {
  const isPart = shown.dims[0] === "component";
  const most = isPart
    ? cells.find((one) => one.at[0] === strongest(shown.values))!
    : [...cells].sort((a, b) => Math.abs(b.value) - Math.abs(a.value))[0]!;
  const superlative = isPart ? "most" : "largest";
  const said = (amount: number) => inUnit(signed(amount), shown.of.unit);
  const largest = whose(nameOf(shown, most.at, run), said(most.value));
  const own = at ? { at, value } : isPart ? most : null;
  if (!own) return [`The ${superlative} is ${largest}.`];
  const words: Part[] = [strong(nameOf(shown, own.at, run)), ": ", strong(said(own.value))];
  if (String(most.at) === String(own.at)) return [...words, `, the ${superlative}.`];
  return [...words, `; the ${superlative} is ${largest}.`];
}

/** "L2H5 has an induction score of 0.93 of 1 on this prompt; the highest is L1H3's, 0.97." */
function scored({ shown, at, value, cells, run }: Said): Part[] {
  const { name, unit, measured_on } = shown.of;
  const on = measured_on && ` on ${measured_on}`;
  const named = `${/^[aeiou]/i.test(name) ? "an" : "a"} ${name}`;
  const [best] = cells.filter((one) => one.value > 0);
  const said = (amount: number) => inUnit(number(amount), unit);
  if (at) {
    const own: Part[] = [strong(nameOf(shown, at, run)), ` has ${named} of `];
    own.push(strong(number(value)), `${unit && ` ${unit}`}${on}`);
    if (!best) return [...own, "."];
    if (String(best.at) === String(at)) return [...own, ", the highest."];
    return [...own, `; the highest is ${whose(nameOf(shown, best.at, run), number(best.value))}.`];
  }
  const none = isHeads(shown.dims) ? "No head" : "Nothing";
  if (!best) return [`${none} has ${named} above 0${on}.`];
  const highest = whose(nameOf(shown, best.at, run), said(best.value));
  return [`The highest ${name}${on} is `, strong(highest), "."];
}

/** "L3H1 changed by −1.20 logits, from +3.08 to +1.88; the largest change is L1H0's, −2.41 logits." */
function changed({ shown, at, value, cells, run }: Said): Part[] {
  const [most] = [...cells].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const said = (amount: number) => inUnit(signed(amount), shown.of.unit);
  const largest = whose(nameOf(shown, most!.at, run), said(most!.value));
  if (!at) return [`The largest change is ${largest}.`];
  const index = at.length > 1 ? at[0]! * shown.stride + at[1]! : at[0]!;
  const write = shown.of.scale === "signed" ? signed : number;
  const [before, now] = [write(shown.before![index]!), write(shown.now[index]!)];
  const own: Part[] = [strong(nameOf(shown, at, run)), " changed by ", strong(said(value))];
  own.push(`, from ${before} to ${now}`);
  if (String(most!.at) === String(at)) return [...own, ", the largest change."];
  return [...own, `; the largest change is ${largest}.`];
}

/** "L1H0's, +4.10 logits", and where the name is more than a word "+4.10 logits at L2, ·the (7)". */
function whose(name: string, value: string): string {
  return /[ ,]/.test(name) ? `${value} at ${name}` : `${name}'s, ${value}`;
}

/** The part that pushes most towards the right answer, or where none does, most away from it. */
export function strongest(values: ArrayLike<number>): number {
  const all = Array.from(values, (value) => (Number.isNaN(value) ? 0 : value));
  const most = all.indexOf(Math.max(...all));
  return (all[most] ?? 0) > 0 ? most : all.indexOf(Math.min(...all));
}
