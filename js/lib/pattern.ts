/** One head's attention: a triangle of weights, or a square of them, and where it looks. */

import { type Head, headName } from "./state";
import type { Tensor } from "./wire";

/**
 * Query q looks at key k with weights[q (q + 1) / 2 + k]; where tokens look at later ones too, the weights are the
 * whole square, by rows.
 */
export type Pattern = { length: number; weights: Float32Array };

export type Look = { position: number; weight: number };

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

/** The keys that the token at `query` attends to, most first. */
export function keysOf(pattern: Pattern, query: number, count: number): Look[] {
  return most(pattern, count, (position) => weightAt(pattern, query, position));
}

/** The queries that attend to the token at `key`, most first. */
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

/** The key that asks the kernel for a head's map of a colour in a row. */
export function patternKey(row: number, head: Head, colour: string): string {
  return `pattern/${row}/${headName(head)}/${colour}`;
}

/** The same for a small map. */
export function mapKey(row: number, head: Head): string {
  return `map/${row}/${headName(head)}`;
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
