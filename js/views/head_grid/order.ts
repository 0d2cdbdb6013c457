/** Which heads are shown, in which order, and their small maps. */

import type { Asker } from "../../lib/ask";
import type { SmallMap } from "../../lib/blocks/small-maps";
import { cutHead, mapKey, type Pattern } from "../../lib/pattern";
import { type Head, type Header, parseHead } from "../../lib/state";
import type { Tensor } from "../../lib/wire";

export const SELECTED = "selected layer";
export const PINNED = "pinned heads";
export const SORTS = ["head", "direct effect", "induction", "previous token", "duplicate token"];

/** A head with what it is sorted by, if anything. */
export type Member = Omit<SmallMap, "pattern">;

/** The heads shown, by their numbers or as they were pinned. */
export function headsOf(
  shown: string,
  selected: Head | null,
  pinned: string[],
  run: Pick<Header, "n_layers" | "n_heads">,
): Head[] {
  const inRun = ([layer, head]: Head) => layer < run.n_layers && head < run.n_heads;
  if (shown === PINNED) {
    return pinned.map(parseHead).filter((head): head is Head => head !== null && inRun(head));
  }
  const named = /^layer (\d+)$/.exec(shown);
  const own = selected && inRun(selected) ? selected[0] : run.n_layers - 1;
  const layer = named ? Number(named[1]) : own;
  if (layer >= run.n_layers) return [];
  return Array.from({ length: run.n_heads }, (_, head): Head => [layer, head]);
}

/** The largest first, by one row of `values` [row layer head]; as they are where nothing sorts them. */
export function inOrder(heads: Head[], values: Tensor | null, row: number): Member[] {
  if (!values) return heads.map((head) => ({ head, value: null }));
  const [, layers = 0, count = 0] = values.shape;
  const members = heads.map(([layer, head]): Member => {
    return { head: [layer, head], value: values.data[(row * layers + layer) * count + head]! };
  });
  const size = ({ value }: Member) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value!);
  return members.sort((a, b) => size(b) - size(a));
}

/** A head's small map, out of those that came ahead [layer head cell] or those sent on demand; null while none is here. */
export function smallMap(
  head: Head,
  run: number,
  row: number,
  ahead: Tensor | null,
  ask: Pick<Asker, "get">,
  causal: boolean,
): Pattern | null {
  if (ahead) return cutHead(ahead, head, sideOf(ahead.shape.at(-1)!, causal));
  const answer = ask.get(run, mapKey(row, head));
  if (!answer || answer.error) return null;
  const weights = answer.floats("weights").data;
  return { length: sideOf(weights.length, causal), weights };
}

/** How many cells a side has, of a triangle or of a square of so many in all. */
export function sideOf(cells: number, causal: boolean): number {
  return Math.round(causal ? (Math.sqrt(8 * cells + 1) - 1) / 2 : Math.sqrt(cells));
}
