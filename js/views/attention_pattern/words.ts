/** The sentence about one head's row of the map. */

import { keysIn, keysOf, type Pattern, weightAt } from "../../lib/pattern";
import { type Part, strong, token } from "../../lib/sentence";
import { type Head, headName } from "../../lib/state";
import type { TokenName } from "../../lib/tokens";
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
  const at = (position: number): Part[] => [token(name(position)), ` (${position})`];
  const words: Part[] = [strong(headName(head)), " at ", ...at(query), ` ${most} `];
  words.push(...at(first.position), " with ", strong(said(first.weight)));
  const named = [first.position];
  if (second && counts(second.weight, first.weight)) {
    words.push("; then ", ...at(second.position), ` ${said(second.weight)}`);
    named.push(second.position);
  }
  if (key !== null && key < keysIn(pattern, query) && !named.includes(key)) {
    words.push("; at ", ...at(key), ` ${said(weightAt(pattern, query, key))}`);
  }
  return [...words, "."];
}
