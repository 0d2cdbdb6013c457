/** The cases of tests/said.json, as the browser has them. */

import type { Quantity } from "../../js/lib/quantity";
import { type Info, indexOf, type Shown, shownOf } from "../../js/lib/quantity";
import { endWords, ranked, sentence, whatWords } from "../../js/lib/quantity-words";
import { plain } from "../../js/lib/sentence";
import { type Header, NOTHING_SELECTED, type Row, type Show } from "../../js/lib/state";
import { targetOf } from "../../js/lib/target";
import { CHECK, quantity, ROW, RUN } from "./quantities";

type Numbers = (number | null)[];
type Aim = { right?: string; wrong?: string; name: string; value: number; unit: string };
export type Case = Partial<Omit<Info, "checks" | "dims" | "coords">> & {
  about: string;
  dims: string;
  shape: number[];
  values: Numbers;
  before?: Numbers;
  coords?: Record<string, string[]>;
  checks?: boolean;
  rows?: Aim[];
  tokens?: string[];
  show?: Show;
  at: number[] | null;
};

/** What a case's words are: the sentence, the title, and the two ends. */
export function said(one: Case): { says: string; what: string; ends: string[] } {
  const { about, dims, shape, checks, rows = [], tokens = [], show = "now", at, ...more } = one;
  const run = runOf(rows, tokens);
  const of: Quantity = quantity(dims, shape, numbers(more.values), {
    ...more,
    before: more.before && numbers(more.before),
    checks: checks ? rows.map(() => CHECK) : [],
  });
  const [shown] = shownOf([of], { ...NOTHING_SELECTED, show }, run) as [Shown];
  const target = targetOf(run.rows, rows.length > 1 ? null : 0);
  const value = at ? shown.values[indexOf(shown, at)]! : Number.NaN;
  const spoken = Number.isNaN(value) ? null : at;
  return {
    says: plain(
      sentence({ shown, at: spoken, value, cells: ranked(shown), target, palette: "RdBu", run }),
    ),
    what: plain(whatWords(shown, target)),
    ends: endWords(shown, target).map(plain),
  };
}

function runOf(rows: Aim[], tokens: string[]): Header {
  const ids = tokens.map((_, i) => i);
  const side = (text?: string) => (text ? { ids: [1], text } : null);
  const aims = rows.map(({ right, wrong, ...target }): Row => {
    return { ...ROW, ids, right: side(right), wrong: side(wrong), target };
  });
  const texts = Object.fromEntries(tokens.map((text, i) => [i, text]));
  return { ...RUN, texts, rows: aims.length ? aims : [{ ...ROW, ids }] };
}

function numbers(values: Numbers): number[] {
  return values.map((value) => value ?? Number.NaN);
}
