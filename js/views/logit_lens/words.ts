/** The lens in words. */

import * as words from "../../../src/residscope/data/words.json";
import { probability } from "../../lib/number";
import { type Part, token } from "../../lib/sentence";
import type { Header } from "../../lib/state";
import { targetOf, whereTarget } from "../../lib/target";
import { tokenAt } from "../../lib/tokens";
import { fill } from "../../lib/words";
import type { Lens } from "./data";

/** "At the output, after ·to (14), ·Mary leads with 1.00; ·Mary is ahead of ·John by 10.80 logits." */
export function sentence(run: Header, lens: Lens, depth: number, position: number): Part[] {
  const { row } = lens;
  const top = lens.top(depth, position);
  const value = lens.target[depth];
  const read = run.rows[row]?.target_position;
  const none = value === undefined || Number.isNaN(value) || read === undefined;
  const template = read === position ? words.lens_target : words.lens_elsewhere;
  return fill(none ? words.lens : template, {
    depth: depthWords(run, depth),
    token: token(tokenAt(run, row, position)),
    position: String(position),
    leads: top
      ? fill(words.lens_leads, { token: token(lens.name(top.id)), share: share(top.probability) })
      : words.lens_waits,
    target: none ? "" : whereTarget(targetOf(run.rows, row), value),
    read: none ? "" : token(tokenAt(run, row, read)),
    read_position: String(read),
  });
}

/** The name of a stop of the slider in a sentence. */
export function depthWords(run: Header, depth: number): string {
  const name = run.depths[depth] ?? "";
  if (name === "output") return words.depth_output;
  return name === "embed" ? words.depth_embed : name;
}

/** A probability to two decimals, as sentences have it. */
function share(value: number): string {
  return probability(value, value < 0.01 ? 3 : 2);
}
