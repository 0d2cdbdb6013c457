/** What the lens holds of one prompt: tokens and probabilities at each depth and position. */

import type { Picture } from "../../lib/picture";
import type { Run } from "../../lib/state";
import { type TokenName, tokenName } from "../../lib/tokens";

export type Guess = { id: number; probability: number };

type CheckInfo = { difference: number; tolerance: number; ok: boolean; reason: string };

type Info = { texts: Record<string, string>; check: CheckInfo[]; unit: string };

/** One row's lens. */
export type Lens = {
  row: number;
  depths: number;
  positions: number;
  /** The likeliest token, or null where there is no such cell. */
  top(depth: number, position: number): Guess | null;
  /** The likeliest tokens, the first one first. */
  guesses(depth: number, position: number, most: number): Guess[];
  /** In nats. */
  entropy(depth: number, position: number): number;
  /** The target's value at each depth, read at the target's position. */
  target: Float32Array;
  /** How many tokens are likelier than the right answer, at each depth. */
  rank: Int32Array;
  check: CheckInfo | null;
  name(id: number): TokenName;
};

export type ReadLens = (row: number) => Lens;

/** Read a payload; which row is looked at is asked later. */
export function readLens({ payload, run }: Picture): ReadLens {
  const ids = payload.ints("top_ids");
  const probs = payload.floats("top_probs").data;
  const entropy = payload.floats("entropy").data;
  const target = payload.floats("target_value").data;
  const rank = payload.ints("target_rank").data;
  const { texts = {}, check = [] } = payload.info as Partial<Info>;
  const [, depths = 0, longest = 0, k = 0] = ids.shape;
  return (row) => {
    const positions = run.rows[row]?.ids.length ?? 0;
    const cell = (depth: number, position: number) => (row * depths + depth) * longest + position;
    const guesses = (depth: number, position: number, most: number): Guess[] => {
      if (depth < 0 || depth >= depths || position < 0 || position >= positions) return [];
      const from = cell(depth, position) * k;
      return Array.from({ length: Math.min(k, most) }, (_, i) => {
        return { id: ids.data[from + i]!, probability: probs[from + i]! };
      }).filter(({ id }) => id >= 0);
    };
    return {
      row,
      depths,
      positions,
      top: (depth, position) => guesses(depth, position, 1)[0] ?? null,
      guesses,
      entropy: (depth, position) => entropy[cell(depth, position)] ?? Number.NaN,
      target: target.slice(row * depths, (row + 1) * depths),
      rank: rank.slice(row * depths, (row + 1) * depths),
      check: check[row] ?? null,
      name: (id) => tokenName(run, id, texts),
    };
  };
}

/** Where a selection points in this run; null in place of what the run does not have. */
export type Place = { depth: number | null; position: number | null; missing: string | null };

/** Find the selected place, with the sentence that says what is not in this run. */
export function placeOf(
  run: Run,
  row: number,
  wanted: { row: number | null; depth: number; position: number | null },
): Place {
  const { depths, rows } = run;
  const prompt = rows[row];
  const length = prompt?.ids.length ?? 0;
  const at = wanted.position ?? prompt?.read ?? 0;
  const depth = wanted.depth < depths.length ? wanted.depth : null;
  const position = at < length ? at : null;
  let missing: string | null = null;
  if (wanted.row !== null && wanted.row >= rows.length) {
    missing = `Prompt ${wanted.row} is not in this run, which has ${rows.length}.`;
  } else if (depth === null) {
    missing = `Stop ${wanted.depth} of the slider is not in this run, which has ${depths.length}.`;
  } else if (position === null) {
    missing = `Position ${at} is not in this run, whose prompt has ${length} tokens.`;
  }
  return { depth, position, missing };
}
