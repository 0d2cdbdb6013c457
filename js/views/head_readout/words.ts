/** The card in one sentence. */

import { inUnit, signed } from "../../lib/number";
import { share } from "../../lib/pattern";
import { type Part, strong, token } from "../../lib/sentence";
import { type Header, headName } from "../../lib/state";
import { ofTarget, type TargetWords } from "../../lib/target";
import { tokenAt, tokenName } from "../../lib/tokens";
import type { Card } from "./card";

/** "L3H0 at ·to (14) looks most at ·Mary (2) with 0.99 and promotes ·Mary most; it adds +2.81 of the ..." */
export function sentence(
  run: Header,
  card: Card,
  target: TargetWords,
  texts: Record<string, string>,
): Part[] {
  const at = (position: number): Part[] => [
    token(tokenAt(run, card.row, position)),
    ` (${position})`,
  ];
  const words: Part[] = [strong(headName(card.head)), " at ", ...at(card.position)];
  const [most] = card.looks;
  if (most) words.push(" looks most at ", ...at(most[0]), " with ", strong(share(most[1])));
  const [promotes, suppresses] = card.writes.map(([, pairs]) => pairs[0]);
  if (promotes && suppresses) {
    const named = ([id]: [number, number]) => token(tokenName(run, id, texts));
    words.push(", promotes ", named(promotes), " most and suppresses ", named(suppresses), " most");
  }
  if (card.effect !== null) {
    const at = run.rows[card.row]?.target_position;
    const where = at === card.position ? "" : " where the target is read";
    const unit = Number.isNaN(target.value) ? target.unit : "";
    words.push("; it adds ", strong(inUnit(signed(card.effect), unit)), " ");
    words.push(...effectOn(target), where);
  }
  return [...words, "."];
}

function effectOn(target: TargetWords): Part[] {
  return Number.isNaN(target.value) ? ["to ", ...target.name] : ofTarget(target);
}

/** "1st", "2nd", "11th". */
export function ordinal(rank: number): string {
  const teen = rank % 100 > 10 && rank % 100 < 14;
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][rank % 10] ?? "th");
  return `${rank}${ending}`;
}
