/** Quantities in words: the title, the two ends, and the sentence under the picture. */

import * as words from "../../src/residscope/data/words.json";
import { subjectOf, togetherOf } from "./components";
import { inUnit, number, signed } from "./number";
import { type Diverging, positiveName } from "./palette";
import { indexOf, isHeads, nameOf, type Shown } from "./quantity";
import type { Part } from "./sentence";
import type { Header } from "./state";
import { ofTarget, type TargetWords } from "./target";
import { fill, filled } from "./words";

/** A cell with its number. */
export type Ranked = { at: number[]; value: number };

/** Whether the numbers are parts of the target, which a check of their sum says. */
export function ofTheTarget({ of }: Shown): boolean {
  return of.checks.length > 0 && of.scale === "signed";
}

/** "direct effect on ·Mary − ·John · logits", "induction score on this prompt · 0 to 1". */
export function whatWords(shown: Shown, target: TargetWords): Part[] {
  const { of, show, dims, signed } = shown;
  const isPart = ofTheTarget(shown);
  const what = isPart ? target.name : of.measured_on;
  const name =
    isPart && dims[0] === "component" ? filled(words.title_parts, { name: of.name }) : of.name;
  const named = what ? fill(words.title_on, { name, what }) : [name];
  const range = !signed && of.high !== null;
  const whole = /^(of|$)/.test(of.unit) ? words.title_range : words.title_range_unit;
  const unit = range ? filled(whole, { high: of.high!, unit: of.unit }) : of.unit;
  const rest = [unit, show === "now" ? "" : show].filter(Boolean).map((one) => ` · ${one}`);
  return [...named, rest.join("")];
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
  if (shown.show === "change") return [[words.end_up], [words.end_down]];
  if (!ofTheTarget(shown)) return [[words.end_highest], [words.end_lowest]];
  const low = wrong ? words.end_towards : words.end_away;
  return [fill(words.end_towards, { answer: right }), fill(low, { answer: wrong ?? right })];
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
  if (said.cells.length === 0) return [shown.of.blank || words.no_number];
  if (shown.show === "change") return changed(said);
  if (ofTheTarget(shown) && shown.show === "now") return parts(said);
  const plain = shown.signed ? plainly(said) : scored(said);
  return shown.show === "before" ? fill(words.untouched, { said: plain }) : plain;
}

/** "L3H1 adds +3.08 of the 10.80 logits by which ·Mary beats ·John; all heads together +9.40. Blue pushes ..." */
function parts({ shown, at, value, cells, target, palette, run }: Said): Part[] {
  const aim = ofTarget(target);
  const colours = fill(words.colours, { colour: positiveName(palette), right: target.right });
  const names = shown.of.coords.component;
  if (names && shown.dims[0] === "component") {
    const most = strongest(shown.values);
    const own = at?.[0] ?? most;
    return fill(words.adds, {
      cell: subjectOf(names[own]!),
      value: signed(shown.values[own]!),
      most: own === most ? filled(words.rest_most, { most: words.most }) : "",
      together: togetherOf(names, shown.values),
      ...{ aim, colours },
    });
  }
  const kind = shown.dims.includes("head") ? words.kind_heads : words.kind_parts;
  const sum = signed(cells.reduce((all, cell) => all + cell.value, 0));
  const said = (one: Ranked) => ({ cell: nameOf(shown, one.at, run), value: signed(one.value) });
  if (at) {
    const all = target.rows.length > 1 ? words.together_all_mean : words.together_all;
    const together = filled(all, { kind, sum });
    return fill(words.adds, { ...said({ at, value }), aim, together, colours });
  }
  const [first] = ends(cells, 1).high;
  const most = first ? filled(words.most_from, said(first)) : "";
  return fill(words.all_add, { kind, sum, aim, most, colours });
}

/** "L3H1: +3.08 logits; the largest is L1H0's, +4.10 logits." They need not sum to anything. */
function plainly({ shown, at, value, cells, run }: Said): Part[] {
  const isPart = shown.dims[0] === "component";
  const top = isPart ? strongest(shown.values) : -1;
  const best = (isPart && cells.find((one) => one.at[0] === top)) || largestOf(cells);
  const own = at ? { at, value } : isPart ? best : null;
  const write = (amount: number) => inUnit(signed(amount), shown.of.unit);
  const most = isPart ? words.most : words.largest;
  const whose = whoseIs(nameOf(shown, best.at, run), write(best.value));
  if (!own) return fill(words.most_is, { most, whose });
  const rest = restOf(most, own.at, best, whose);
  return fill(words.is, { cell: nameOf(shown, own.at, run), value: write(own.value), rest });
}

/** "L2H5 has an induction score of 0.93 of 1 on this prompt; the highest is L1H3's, 0.97." */
function scored({ shown, at, value, cells, run }: Said): Part[] {
  const { name, unit, measured_on } = shown.of;
  const on = measured_on && filled(words.on, { what: measured_on });
  const named = filled(/^[aeiou]/i.test(name) ? words.an : words.a, { name });
  const [best] = cells.filter((one) => one.value > 0);
  const whose = (unit: string) =>
    best ? whoseIs(nameOf(shown, best.at, run), inUnit(number(best.value), unit)) : "";
  if (at) {
    return fill(words.has, {
      cell: nameOf(shown, at, run),
      value: number(value),
      unit: unit && ` ${unit}`,
      rest: best ? restOf(words.highest, at, best, whose("")) : "",
      ...{ named, on },
    });
  }
  if (best) return fill(words.highest_is, { name, on, whose: whose(unit) });
  return fill(isHeads(shown.dims) ? words.no_head_above : words.nothing_above, { named, on });
}

/** "L3H1 changed by −1.20 logits, from +3.08 to +1.88; the largest change is L1H0's, −2.41 logits." */
function changed({ shown, at, value, cells, run }: Said): Part[] {
  const most = largestOf(cells);
  const said = (amount: number) => inUnit(signed(amount), shown.of.unit);
  const whose = whoseIs(nameOf(shown, most.at, run), said(most.value));
  if (!at) return fill(words.most_is, { most: words.change, whose });
  const index = indexOf(shown, at);
  const write = shown.of.scale === "signed" ? signed : number;
  return fill(words.changed, {
    cell: nameOf(shown, at, run),
    value: said(value),
    before: write(shown.before![index]!),
    now: write(shown.now[index]!),
    rest: restOf(words.change, at, most, whose),
  });
}

/** ", the largest", or "; the largest is L1H0's, +4.10 logits". */
function restOf(most: string, at: number[], best: Ranked, whose: string): string {
  const isBest = String(best.at) === String(at);
  return filled(isBest ? words.rest_most : words.rest_is, { most, whose });
}

function largestOf(cells: Ranked[]): Ranked {
  return [...cells].sort((a, b) => Math.abs(b.value) - Math.abs(a.value))[0]!;
}

/** "L1H0's, +4.10 logits", and where the name is more than a word "+4.10 logits at L2, ·the (7)". */
function whoseIs(cell: string, value: string): string {
  return filled(/[ ,]/.test(cell) ? words.where : words.whose, { cell, value });
}

/** The part that pushes most towards the right answer, or where none does, most away from it. */
export function strongest(values: ArrayLike<number>): number {
  const all = Array.from(values, (value) => (Number.isNaN(value) ? 0 : value));
  const most = all.indexOf(Math.max(...all));
  return (all[most] ?? 0) > 0 ? most : all.indexOf(Math.min(...all));
}
