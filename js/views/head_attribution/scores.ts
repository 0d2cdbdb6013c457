/** Head scores in words: how much a head behaves like one of a known kind, from 0 to 1. */

import { number } from "../../lib/number";
import { type Part, strong } from "../../lib/sentence";
import { type Head, headName } from "../../lib/state";
import { type Effects, topHeads, valueAt } from "./effects";

export const KINDS = ["induction", "previous token", "duplicate token"];
export const MEASURED_ON = ["this prompt", "random repeats"];

/** "L2H5 has an induction score of 0.93 of 1 on this prompt; the highest is L1H3's, 0.97." */
export function scoreSentence(
  scores: Effects,
  head: Head | null,
  kind: string,
  on: string,
): Part[] {
  const [best] = topHeads(scores, 1).towards;
  const own = head ? valueAt(scores, head) : Number.NaN;
  const article = kind === "induction" ? "an" : "a";
  if (head && !Number.isNaN(own)) {
    const said: Part[] = [strong(headName(head)), ` has ${article} ${kind} score of `];
    said.push(strong(number(own)), ` of 1 on ${on}`);
    if (!best || headName(best.head) === headName(head))
      return [...said, best ? ", the highest." : "."];
    return [...said, `; the highest is ${headName(best.head)}'s, ${number(best.value)}.`];
  }
  if (!best) return [`No head has ${article} ${kind} score above 0 on ${on}.`];
  const said: Part[] = [
    "Most like ",
    `${article} ${kind} head on ${on} is `,
    strong(headName(best.head)),
  ];
  return [...said, ": ", strong(number(best.value)), " of 1."];
}

/** Why no score can be measured, or null. */
export function notMeasured({ values }: Effects, kind: string): string | null {
  if (values.some((value) => !Number.isNaN(value))) return null;
  return `Nothing repeats in this prompt, so it has no ${kind} score: choose random repeats.`;
}
