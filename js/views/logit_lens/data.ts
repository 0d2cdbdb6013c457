/** What the lens holds of one prompt: tokens and probabilities at each depth and position. */

import type { Asker } from "../../lib/ask";
import type { Picture } from "../../lib/picture";
import type { Header } from "../../lib/state";
import { type TokenName, tokenName } from "../../lib/tokens";
import type { Payload } from "../../lib/wire";

export type Guess = { id: number; probability: number };

type CheckInfo = { difference: number; tolerance: number; ok: boolean; reason: string };

type Info = {
  starts: number[];
  block: number;
  texts: Record<string, string>;
  check: CheckInfo[];
  unit: string;
};

/** The cells of one row from a position on. */
export type Part = {
  start: number;
  width: number;
  k: number;
  ids: Int32Array;
  probs: Float32Array;
  entropy: Float32Array;
  texts: Record<string, string>;
};

/** How many positions to ask for at once, unless the kernel says otherwise. */
const BLOCK = 32;

/** Positions of a row. */
export type Span = { start: number; stop: number };

/** The key that asks the kernel for cells. */
export function cellsKey(row: number, { start, stop }: Span): string {
  return `cells/${row}/${start}/${stop}`;
}

/** One row's lens. */
export type Lens = {
  row: number;
  depths: number;
  positions: number;
  /** The most likely token, or null where there is no such cell, or none here yet. */
  top(depth: number, position: number): Guess | null;
  /** The most likely tokens, most likely first. */
  guesses(depth: number, position: number, most: number): Guess[];
  /** In nats. */
  entropy(depth: number, position: number): number;
  /** The target's value at each depth, read at the target's position. */
  target: Float32Array;
  /** The same as if it were read at another position, or null where that was not sent. */
  curve(position: number): Float32Array | null;
  /** The block of positions with the first missing one, or null. */
  missing(from: number, to: number): Span | null;
  /** How many tokens are likelier than the right answer, at each depth. */
  rank: Int32Array;
  check: CheckInfo | null;
  name(id: number): TokenName;
};

/** Read a payload; the selected row and the answers come later. */
export function readLens({
  payload,
  run,
}: Picture): (row: number, ask: Pick<Asker, "get">) => Lens {
  const target = payload.floats("target_value").data;
  const rank = payload.ints("target_rank").data;
  const curve = payload.names.includes("curve") ? payload.floats("curve") : null;
  const { texts = {}, check = [], starts = [], block = BLOCK } = payload.info as Partial<Info>;
  const depths = run.depths.length;
  return (row, ask) => {
    const positions = run.rows[row]?.ids.length ?? 0;
    const parts = [readPart(payload, starts[row] ?? 0, texts, `.${row}`)];
    for (let start = 0; start < positions; start += block) {
      const answer = ask.get(
        run.number,
        cellsKey(row, { start, stop: Math.min(positions, start + block) }),
      );
      if (answer && !answer.error) {
        parts.push(readPart(answer, start, answer.info.texts as Info["texts"], ""));
      }
    }
    const holder: (Part | undefined)[] = new Array(positions);
    for (const part of parts) {
      for (let at = 0; at < part.width; at++) {
        // Positions that are not read yet have no tokens.
        if (part.ids[at * part.k]! >= 0) holder[part.start + at] = part;
      }
    }
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
          const start = position - (position % block);
          return { start, stop: Math.min(positions, start + block) };
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
  from: Pick<Payload, "floats" | "ints">,
  start: number,
  texts: Record<string, string>,
  suffix: string,
): Part {
  const { shape, data: ids } = from.ints(`top_ids${suffix}`);
  const [, width = 0, k = 0] = shape;
  const probs = from.floats(`top_probs${suffix}`).data;
  const entropy = from.floats(`entropy${suffix}`).data;
  return { start, width, k, ids, probs, entropy, texts };
}

/** Where a selection points in this run; null in place of what the run does not have. */
export type Place = { depth: number | null; position: number | null; missing: string | null };

/** Find the selected place, with the sentence that says what is not in this run. */
export function placeOf(
  run: Header,
  row: number,
  wanted: { row: number | null; depth: number; position: number | null },
): Place {
  const { depths, rows } = run;
  const prompt = rows[row];
  const length = prompt?.ids.length ?? 0;
  const at = wanted.position ?? prompt?.target_position ?? 0;
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
