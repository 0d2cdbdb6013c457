/** What the lens holds of one prompt: tokens and probabilities at each depth and position. */

import type { Picture } from "../../lib/picture";
import type { Run } from "../../lib/state";
import { type TokenName, tokenName } from "../../lib/tokens";
import type { Payload } from "../../lib/wire";

export type Guess = { id: number; probability: number };

type CheckInfo = { difference: number; tolerance: number; ok: boolean; reason: string };

type Info = { starts: number[]; texts: Record<string, string>; check: CheckInfo[]; unit: string };

/** The cells of one row from a position on. */
export type Part = {
  run: number;
  row: number;
  start: number;
  width: number;
  k: number;
  ids: Int32Array;
  probs: Float32Array;
  entropy: Float32Array;
  texts: Record<string, string>;
};

/** How many parts that came on screen are kept. */
const KEPT = 64;

/** How many positions are asked for at once, from a whole number of times so many on. */
const BLOCK = 32;

/** One row's lens. */
export type Lens = {
  row: number;
  depths: number;
  positions: number;
  /** The likeliest token, or null where there is no such cell, or none here yet. */
  top(depth: number, position: number): Guess | null;
  /** The likeliest tokens, the first one first. */
  guesses(depth: number, position: number, most: number): Guess[];
  /** In nats. */
  entropy(depth: number, position: number): number;
  /** The target's value at each depth, read at the target's position. */
  target: Float32Array;
  /** The same as if it were read at another position, or null where that was not sent. */
  curve(position: number): Float32Array | null;
  /** The block of positions that holds the first one of these which is not here, or null. */
  missing(from: number, to: number): { start: number; stop: number } | null;
  /** How many tokens are likelier than the right answer, at each depth. */
  rank: Int32Array;
  check: CheckInfo | null;
  name(id: number): TokenName;
};

export type ReadLens = (row: number) => Lens;

/** Read a payload; which row is looked at, and what more has come, is asked later. */
export function readLens({ payload, run }: Picture): (row: number, more: Part[]) => Lens {
  const target = payload.floats("target_value").data;
  const rank = payload.ints("target_rank").data;
  const curve = payload.names.includes("curve") ? payload.floats("curve") : null;
  const { texts = {}, check = [], starts = [] } = payload.info as Partial<Info>;
  const depths = run.depths.length;
  return (row, more) => {
    const positions = run.rows[row]?.ids.length ?? 0;
    const first = readPart(payload, row, starts[row] ?? 0, texts, `.${row}`);
    const parts = [first, ...more.filter((part) => part.run === run.number && part.row === row)];
    const holder: (Part | undefined)[] = new Array(positions);
    for (const part of parts) holder.fill(part, part.start, part.start + part.width);
    const cell = ({ start, width }: Part, depth: number, position: number) =>
      depth * width + position - start;
    const guesses = (depth: number, position: number, most: number): Guess[] => {
      const part = holder[position];
      if (!part || depth < 0 || depth >= depths) return [];
      const from = cell(part, depth, position) * part.k;
      return Array.from({ length: Math.min(part.k, most) }, (_, i) => {
        return { id: part.ids[from + i]!, probability: part.probs[from + i]! };
      });
    };
    const every = Object.assign({}, ...parts.map((part) => part.texts)) as Record<string, string>;
    return {
      row,
      depths,
      positions,
      top: (depth, position) => guesses(depth, position, 1)[0] ?? null,
      guesses,
      entropy: (depth, position) => {
        const part = holder[position];
        return part?.entropy[cell(part, depth, position)] ?? Number.NaN;
      },
      target: target.slice(row * depths, (row + 1) * depths),
      curve: (position) => {
        if (!curve) return null;
        const [, , width = 0] = curve.shape;
        const values = Float32Array.from({ length: depths }, (_, depth) => {
          return curve.data[(row * depths + depth) * width + position] ?? Number.NaN;
        });
        return values;
      },
      missing: (from, to) => {
        for (let position = from; position <= Math.min(to, positions - 1); position++) {
          if (holder[position]) continue;
          const start = position - (position % BLOCK);
          return { start, stop: Math.min(positions, start + BLOCK) };
        }
        return null;
      },
      rank: rank.slice(row * depths, (row + 1) * depths),
      check: check[row] ?? null,
      name: (id) => tokenName(run, id, every),
    };
  };
}

function readPart(
  payload: Payload,
  row: number,
  start: number,
  texts: Record<string, string>,
  suffix: string,
): Part {
  const { shape, data: ids } = payload.ints(`top_ids${suffix}`);
  const [, width = 0, k = 0] = shape;
  const probs = payload.floats(`top_probs${suffix}`).data;
  const entropy = payload.floats(`entropy${suffix}`).data;
  return { run: payload.run, row, start, width, k, ids, probs, entropy, texts };
}

/** Add what a message brought; the oldest go. */
export function remember(parts: Part[], payload: Payload | null): Part[] {
  if (!payload) return parts;
  const { row, start, texts } = payload.info as Pick<Part, "row" | "start" | "texts">;
  return [...parts, readPart(payload, row, start, texts, "")].slice(-KEPT);
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
