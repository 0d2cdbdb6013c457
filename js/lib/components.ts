/** The names of a model's parts in words, and what the parts of each kind add up to. */

import * as words from "../../src/residscope/data/words.json";
import { splitName } from "./blocks/bar-layout";
import { signed } from "./number";
import { filled } from "./words";

/** What a part is called, what the sentence sums it under, and what else a tooltip says of it. */
const PARTS: Record<string, string[]> = words.parts;

/** What a layer's part is called: "attention", "MLP". */
export function nounOf(part: string): string {
  return PARTS[part]?.[0] ?? part;
}

/** "Layer 3's attention", "The embedding"; a part without words keeps its name. */
export function subjectOf(name: string): string {
  const { layer, part } = splitName(name);
  const noun = nounOf(part);
  return layer === null ? noun : filled(words.part_of_layer, { layer, part: noun });
}

/** The same and what else there is to say of it. */
export function aboutOf(name: string): string {
  const about = PARTS[splitName(name).part]?.[2];
  return about ? `${subjectOf(name)}, ${about}` : subjectOf(name);
}

/** The sums of parts of a kind, in the order in which sentences name them. */
export function sums(names: string[], values: ArrayLike<number>): [group: string, sum: number][] {
  const totals = new Map<string, number>();
  names.forEach((name, i) => {
    if (Number.isNaN(values[i]!)) return;
    const group = PARTS[splitName(name).part]?.[1] ?? name;
    totals.set(group, (totals.get(group) ?? 0) + values[i]!);
  });
  const known = words.groups.filter((group) => totals.has(group));
  const others = [...totals.keys()].filter((group) => !known.includes(group));
  const last = known.slice(-2);
  // The last two stand together: what no layer adds.
  const both = last.join() === words.groups.slice(-2).join();
  const all = [...(both ? known.slice(0, -2) : known), ...(both ? [last] : []), ...others];
  return all.map((group) =>
    Array.isArray(group)
      ? [
          filled(words.and, { one: group[0]!, other: group[1]! }),
          totals.get(group[0]!)! + totals.get(group[1]!)!,
        ]
      : [group, totals.get(group)!],
  );
}

/** What the parts of each kind add up to, in words. */
export function togetherOf(names: string[], values: ArrayLike<number>): string {
  return sums(names, values)
    .map(([group, sum]) => filled(words.together, { group, sum: signed(sum) }))
    .join(", ");
}
