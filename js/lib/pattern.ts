/** One head's attention: a triangle of weights, or a square of them, and where it looks. */

import { type Head, headName } from "./state";
import type { Payload, Tensor } from "./wire";

/**
 * Query q looks at key k with weights[q (q + 1) / 2 + k]; where tokens look at later ones too, the weights are the
 * whole square, by rows.
 */
export type Pattern = { length: number; weights: Float32Array };

export type Look = { position: number; weight: number };

/** Patterns that the kernel has sent by request, the oldest first. */
export type Cache = ReadonlyMap<string, Float32Array>;

const KEPT = 24;

/** NaN where there is no such cell: before the key in a triangle, or outside the prompt. */
export function weightAt(pattern: Pattern, query: number, key: number): number {
  const { length, weights } = pattern;
  if (query >= length || key >= length) return Number.NaN;
  if (isSquare(pattern)) return weights[query * length + key]!;
  return key <= query ? weights[(query * (query + 1)) / 2 + key]! : Number.NaN;
}

function isSquare({ length, weights }: Pattern): boolean {
  return weights.length === length * length;
}

/** How many keys a query has a weight on. */
export function keysIn(pattern: Pattern, query: number): number {
  return isSquare(pattern) ? pattern.length : query + 1;
}

/** Whether the layer has attention at all. */
export function hasAttention({ weights }: Pattern): boolean {
  return weights.some((weight) => !Number.isNaN(weight));
}

/** Where the token at `query` looks, most first. */
export function keysOf(pattern: Pattern, query: number, count: number): Look[] {
  return most(pattern, count, (position) => weightAt(pattern, query, position));
}

/** Which tokens look at the one at `key`, most first. */
export function queriesOf(pattern: Pattern, key: number, count: number): Look[] {
  return most(pattern, count, (position) => weightAt(pattern, position, key));
}

function most({ length }: Pattern, count: number, weight: (position: number) => number): Look[] {
  return Array.from({ length }, (_, position) => ({ position, weight: weight(position) }))
    .filter((look) => !Number.isNaN(look.weight))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, count);
}

/** Take one head from a row's patterns [layer head tri]. */
export function cutHead({ shape, data }: Tensor, [layer, head]: Head, length: number): Pattern {
  const [, heads = 0, size = 0] = shape;
  const from = (layer * heads + head) * size;
  return { length, weights: data.subarray(from, from + size) };
}

export function cacheKey(run: number, row: number, head: Head, colour: string): string {
  return `${run}/${row}/${headName(head)}/${colour}`;
}

/** Add what a message brought; the oldest go, but nothing of this message. */
export function remember(cache: Cache, payload: Payload | null): Cache {
  if (!payload) return cache;
  const { row, heads, colour } = payload.info as { row: number; heads: Head[]; colour: string };
  const kept = new Map(cache);
  for (const name of payload.names) {
    const { shape, data } = payload.floats(name);
    const size = shape[1] ?? 0;
    for (const [i, head] of heads.entries()) {
      const key = cacheKey(payload.run, row, head, name === "patterns" ? "attention" : colour);
      kept.delete(key);
      kept.set(key, data.slice(i * size, (i + 1) * size));
    }
  }
  const room = Math.max(KEPT, heads.length * payload.names.length);
  return new Map([...kept].slice(-room));
}

/** Make a long pattern as small as `side`: each cell is the largest of those under it, of either sign. */
export function shrink(pattern: Pattern, side: number): Pattern {
  const { length } = pattern;
  if (length <= side) return pattern;
  const whole = isSquare(pattern);
  const weights = new Float32Array(whole ? side * side : (side * (side + 1)) / 2).fill(Number.NaN);
  for (let query = 0; query < length; query++) {
    const row = Math.floor((query * side) / length);
    const start = whole ? row * side : (row * (row + 1)) / 2;
    for (let key = 0; key < keysIn(pattern, query); key++) {
      const at = start + Math.floor((key * side) / length);
      const weight = weightAt(pattern, query, key);
      if (!(Math.abs(weights[at]!) >= Math.abs(weight))) weights[at] = weight;
    }
  }
  return { length: side, weights };
}

/** Two decimals: a weight is a share of one. */
export function share(weight: number): string {
  return weight > 0 && weight < 0.005 ? "<0.01" : weight.toFixed(2);
}
