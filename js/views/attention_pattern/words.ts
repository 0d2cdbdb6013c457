/** The sentence about one head's row of the map. */

import * as words from "../../../src/residscope/data/words.json";
import { keysIn, keysOf, type Pattern, weightAt } from "../../lib/pattern";
import { type Part, token } from "../../lib/sentence";
import { type Head, headName } from "../../lib/state";
import type { TokenName } from "../../lib/tokens";
import { fill } from "../../lib/words";
import type { Numbers } from "./numbers";

/** "L3H7 at ·to (14) looks most at ·Mary (2) with 0.93; then ·John (4) 0.04." */
export function sentence(
  pattern: Pattern,
  numbers: Numbers,
  head: Head,
  query: number,
  key: number | null,
  name: (position: number) => TokenName,
): Part[] {
  const [first, second] = keysOf(pattern, query, 2);
  if (!first) return [];
  const { most, said, counts } = numbers;
  const at = (position: number) =>
    fill(words.token_at, { token: token(name(position)), position: String(position) });
  const also = (position: number, value: number) =>
    fill(words.token_with, {
      token: token(name(position)),
      position: String(position),
      value: said(value),
    });
  const next = second && counts(second.weight, first.weight) ? second : null;
  const named = [first.position, next?.position];
  const other = key !== null && key < keysIn(pattern, query) && !named.includes(key) ? key : null;
  const template = [words.looks, words.looks_then, words.looks_at, words.looks_then_at];
  return fill(template[(next ? 1 : 0) + (other === null ? 0 : 2)]!, {
    head: headName(head),
    query: at(query),
    most,
    key: at(first.position),
    value: said(first.weight),
    second: next ? also(next.position, next.weight) : "",
    chosen: other === null ? "" : also(other, weightAt(pattern, query, other)),
  });
}
