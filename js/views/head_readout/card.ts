/** What the kernel says of one head at one position, and whether it is what is selected. */

import type { Head } from "../../lib/state";

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

export type Answer = { run: number; card: Card | null; texts: Record<string, string> };

export type Wanted = { run: number; row: number; head: Head; position: number };

/** The card, where it is the one that is wanted. */
export function cardFor(answer: Answer | null, wanted: Wanted | null): Card | null {
  const card = answer?.card;
  if (!card || !wanted || answer.run !== wanted.run) return null;
  const same =
    card.row === wanted.row &&
    card.position === wanted.position &&
    card.head[0] === wanted.head[0] &&
    card.head[1] === wanted.head[1];
  return same ? card : null;
}
