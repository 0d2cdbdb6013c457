/** The sentence under the small maps: which head comes first, and which rests most on the first token. */

import { inUnit, number, signed } from "../../lib/number";
import { keysIn, type Pattern, weightAt } from "../../lib/pattern";
import { type Part, strong } from "../../lib/sentence";
import { headName } from "../../lib/state";
import type { Member } from "./order";

type Shown = Member & { pattern: Pattern | null };

/** "By direct effect L3H0 comes first, with +2.81 logits. L1H4 rests most on the first token, with 0.93 of its attention." */
export function sentence(maps: Shown[], sort: string, unit: string, length: number): Part[] {
  const [first] = maps;
  const layer = first?.head[0];
  const together = maps.every(({ head }) => head[0] === layer);
  const where = together ? `heads of layer ${layer}` : "heads";
  const words: Part[] = [`Attention of the ${maps.length} ${where}. `];
  if (first && first.value !== null && !Number.isNaN(first.value)) {
    const value =
      sort === "direct effect" ? inUnit(signed(first.value), unit) : number(first.value);
    words.push(
      `By ${sort} `,
      strong(headName(first.head)),
      " comes first, with ",
      strong(value),
      ". ",
    );
  }
  const resting = maps
    // A pooled map has the largest weights, not their mean.
    .filter(({ pattern }) => pattern?.length === length)
    .map((one) => ({ one, share: one.pattern ? onFirst(one.pattern) : Number.NaN }))
    .filter(({ share }) => !Number.isNaN(share))
    .sort((a, b) => b.share - a.share)[0];
  if (!resting) return words;
  words.push(strong(headName(resting.one.head)), " rests most on the first token, with ");
  return [...words, strong(number(resting.share)), " of its attention."];
}

/** How much of their attention the queries after the first pay to the first key, on average. */
export function onFirst(pattern: Pattern): number {
  let [sum, all] = [0, 0];
  for (let query = 1; query < pattern.length; query++) {
    for (let key = 0; key < keysIn(pattern, query); key++) {
      const weight = weightAt(pattern, query, key);
      if (key === 0) sum += weight;
      all += weight;
    }
  }
  return all > 0 ? sum / all : Number.NaN;
}
