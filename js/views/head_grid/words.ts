/** The sentence under the small maps: which head comes first, and which rests most on the first token. */

import * as words from "../../../src/residscope/data/words.json";
import type { SmallMap } from "../../lib/blocks/small-maps";
import { inUnit, number, signed } from "../../lib/number";
import { keysIn, type Pattern, weightAt } from "../../lib/pattern";
import type { Part } from "../../lib/sentence";
import { headName } from "../../lib/state";
import { fill } from "../../lib/words";

/** "By direct effect L3H0 comes first, +2.81 logits. Most at rest on the first token is L1H4, with 0.93 of it." */
export function sentence(maps: SmallMap[], sort: string, unit: string, length: number): Part[] {
  const [first] = maps;
  const layer = first?.head[0];
  const together = maps.every(({ head }) => head[0] === layer);
  const said = fill(together ? words.maps_layer : words.maps, {
    count: String(maps.length),
    layer: String(layer),
  });
  if (first && first.value !== null && !Number.isNaN(first.value)) {
    const value =
      sort === "direct effect" ? inUnit(signed(first.value), unit) : number(first.value);
    said.push(" ", ...fill(words.maps_first, { sort, head: headName(first.head), value }));
  }
  const resting = maps
    // A pooled map has the largest weights, not their mean.
    .filter(({ pattern }) => pattern?.length === length)
    .map((one) => ({ one, share: one.pattern ? onFirst(one.pattern) : Number.NaN }))
    .filter(({ share }) => !Number.isNaN(share))
    .sort((a, b) => b.share - a.share)[0];
  if (!resting) return said;
  const rest = { head: headName(resting.one.head), share: number(resting.share) };
  return [...said, " ", ...fill(words.maps_rest, rest)];
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
