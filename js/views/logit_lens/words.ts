/** The lens in words. */

import { inUnit, number, probability } from "../../lib/number";
import { type Part, strong, token } from "../../lib/sentence";
import type { Header } from "../../lib/state";
import { targetOf } from "../../lib/target";
import { tokenAt } from "../../lib/tokens";
import type { Lens } from "./data";

/** "At the output, after ·to (14), ·Mary leads with 1.00; ·Mary is ahead of ·John by 10.80 logits." */
export function sentence(run: Header, lens: Lens, depth: number, position: number): Part[] {
  const top = lens.top(depth, position);
  const after: Part[] = [" after ", token(tokenAt(run, lens.row, position)), ` (${position}), `];
  const leads: Part[] = top
    ? [token(lens.name(top.id)), " leads with ", strong(share(top.probability))]
    : ["the most likely token has not arrived yet"];
  return [
    "At ",
    strong(depthWords(run, depth)),
    ",",
    ...after,
    ...leads,
    ...aim(run, lens, depth, position),
  ];
}

/** The target at a depth, with where it is read unless that is where we look. */
function aim(run: Header, lens: Lens, depth: number, position: number): Part[] {
  const words = targetOf(run.rows, lens.row);
  const value = lens.target[depth];
  const at = run.rows[lens.row]?.target_position;
  if (value === undefined || Number.isNaN(value) || at === undefined) return ["."];
  const where: Part[] =
    at === position
      ? ["; "]
      : ["; where the target is read, after ", token(tokenAt(run, lens.row, at)), ` (${at}), `];
  if (!words.wrong && !run.model) {
    return [...where, ...words.name, " is ", strong(inUnit(number(value), words.unit)), "."];
  }
  if (!words.wrong) {
    const amount = strong(number(value));
    return [...where, `the ${words.alone} of `, words.right, " is ", amount, ` ${words.unit}.`];
  }
  const order = value < 0 ? " is behind " : " is ahead of ";
  const amount = strong(number(Math.abs(value)));
  return [...where, words.right, order, words.wrong, " by ", amount, ` ${words.unit}.`];
}

/** The name of a stop of the slider in a sentence. */
export function depthWords(run: Header, depth: number): string {
  const name = run.depths[depth] ?? "";
  if (name === "output") return "the output";
  return name === "embed" ? "the embedding" : name;
}

/** A probability to two decimals, as sentences have it. */
function share(value: number): string {
  return probability(value, value < 0.01 ? 3 : 2);
}
