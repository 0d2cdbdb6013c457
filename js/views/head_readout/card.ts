/** What the kernel sends about one head at one position. */

import { type Head, headName } from "../../lib/state";

/** A token's id, or a position, and its number. */
export type Pair = [at: number, value: number];

export type Card = {
  row: number;
  head: Head;
  position: number;
  /** Positions of keys with the attention paid to them, most first. */
  looks: Pair[];
  /** The heads of the layer that read the same keys and values. */
  shares: number[];
  /** The direct effect on the target, or null where there is none, and its rank by size from 1. */
  effect: number | null;
  rank: number;
  /** From 0 to 1; null where nothing in the prompt repeats. */
  scores: [kind: string, score: number | null][];
  /** "promotes" and "suppresses": token ids with what is added to their logits. */
  writes: [kind: string, pairs: Pair[]][];
};

/** A card, with the texts of the tokens on it. */
export type Sent = { card: Card; texts: Record<string, string> };

export type Wanted = { run: number; row: number; head: Head; position: number };

/** The key that asks the kernel for a card. */
export function cardKey({ row, head, position }: Wanted): string {
  return `card/${row}/${headName(head)}/${position}`;
}
