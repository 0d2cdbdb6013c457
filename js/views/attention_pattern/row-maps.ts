/** One row of a run: its tokens, and the maps of its heads as far as they are here. */

import type { Asker } from "../../lib/ask";
import { cutHead, type Pattern, patternKey } from "../../lib/pattern";
import type { Picture } from "../../lib/picture";
import { type Head, parseHead } from "../../lib/state";
import { type TokenName, tokenAt } from "../../lib/tokens";
import { ATTENTION } from "./numbers";

export type RowMaps = {
  row: number;
  length: number;
  targetPosition: number;
  /** Whether a target is read there; arrays have no target. */
  aims: boolean;
  inRun(head: Head): boolean;
  /** Null while the kernel has not sent it. */
  patternOf(head: Head): Pattern | null;
  name(position: number): TokenName;
};

export type Pin = { head: Head; inRun: boolean; pattern: Pattern | null };

/** The row's maps of a colour: all of them if they came with the run, else those that were asked for. */
export function openRow(
  { payload, run }: Picture,
  row: number,
  ask: Asker,
  colour: string,
): RowMaps {
  const { ids, target_position: targetPosition } = run.rows[row]!;
  const tensor = payload.info.ahead && colour === ATTENTION ? payload.floats(`row.${row}`) : null;
  const { length } = ids;
  const asked = (head: Head) => {
    const answer = ask.get(run.number, patternKey(row, head, colour));
    return answer && !answer.error ? { length, weights: answer.floats("weights").data } : null;
  };
  return {
    row,
    length,
    targetPosition,
    aims: run.model !== null,
    inRun: ([layer, head]) => layer < run.n_layers && head < run.n_heads,
    patternOf: (head) => (tensor ? cutHead(tensor, head, length) : asked(head)),
    name: (position) => tokenAt(run, row, position),
  };
}

/** The pinned heads; other pinned components have no pattern. */
export function pinsOf(pinned: string[], maps: RowMaps): Pin[] {
  const heads = pinned.map(parseHead).filter((head): head is Head => head !== null);
  return heads.map((head) => {
    const inRun = maps.inRun(head);
    return { head, inRun, pattern: inRun ? maps.patternOf(head) : null };
  });
}
