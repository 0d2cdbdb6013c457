/** One row of a run: its tokens, and the maps of its heads as far as they are here. */

import { type Cache, cacheKey, cutHead, type Pattern } from "../../lib/pattern";
import type { Picture } from "../../lib/picture";
import { type Head, parseHead } from "../../lib/state";
import { type TokenName, tokenAt } from "../../lib/tokens";
import { ATTENTION } from "./numbers";

export type Scene = {
  row: number;
  length: number;
  read: number;
  /** Whether a target is read there, which arrays have not. */
  aims: boolean;
  inRun(head: Head): boolean;
  /** Null while the kernel has not sent it. */
  patternOf(head: Head): Pattern | null;
  name(position: number): TokenName;
};

export type Pin = { head: Head; inRun: boolean; pattern: Pattern | null };

/** The row's maps of a colour: all of them where they came ahead, as attention may, else those in `cache`. */
export function openRow(
  { payload, run }: Picture,
  row: number,
  cache: Cache,
  colour: string,
): Scene {
  const { ids, read } = run.rows[row]!;
  const tensor = payload.info.ahead && colour === ATTENTION ? payload.floats(`row.${row}`) : null;
  const { length } = ids;
  const cached = (head: Head) => {
    const weights = cache.get(cacheKey(run.number, row, head, colour));
    return weights ? { length, weights } : null;
  };
  return {
    row,
    length,
    read,
    aims: run.model !== null,
    inRun: ([layer, head]) => layer < run.n_layers && head < run.n_heads,
    patternOf: (head) => (tensor ? cutHead(tensor, head, length) : cached(head)),
    name: (position) => tokenAt(run, row, position),
  };
}

/** The pinned heads; other pinned components have no pattern. */
export function pinsOf(pinned: string[], scene: Scene): Pin[] {
  const heads = pinned.map(parseHead).filter((head): head is Head => head !== null);
  return heads.map((head) => {
    const inRun = scene.inRun(head);
    return { head, inRun, pattern: inRun ? scene.patternOf(head) : null };
  });
}
