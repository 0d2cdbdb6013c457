/** The card in one sentence. */

import * as words from "../../../src/residscope/data/words.json";
import { inUnit, signed } from "../../lib/number";
import { share } from "../../lib/pattern";
import { type Part, token } from "../../lib/sentence";
import { type Header, headName } from "../../lib/state";
import { ofTarget, type TargetWords } from "../../lib/target";
import { tokenAt, tokenName } from "../../lib/tokens";
import { fill } from "../../lib/words";
import type { Card } from "./card";

/** "L3H0 at ·to (14) looks most at ·Mary (2) with 0.99 and promotes ·Mary most; it adds +2.81 of the ..." */
export function sentence(
  run: Header,
  card: Card,
  target: TargetWords,
  texts: Record<string, string>,
): Part[] {
  const at = (position: number) =>
    fill(words.token_at, {
      token: token(tokenAt(run, card.row, position)),
      position: String(position),
    });
  const named = ([id]: [number, number]) => token(tokenName(run, id, texts));
  const [most] = card.looks;
  const [promotes, suppresses] = card.writes.map(([, pairs]) => pairs[0]);
  const there = run.rows[card.row]?.target_position === card.position;
  return fill(words.card, {
    head: headName(card.head),
    token: at(card.position),
    looks: most ? fill(words.card_looks, { token: at(most[0]), value: share(most[1]) }) : "",
    writes:
      promotes && suppresses
        ? fill(words.card_writes, { promoted: named(promotes), suppressed: named(suppresses) })
        : "",
    effect:
      card.effect === null
        ? ""
        : fill(there ? words.card_effect : words.card_effect_there, {
            value: inUnit(signed(card.effect), Number.isNaN(target.value) ? target.unit : ""),
            aim: effectOn(target),
          }),
  });
}

function effectOn(target: TargetWords): Part[] {
  return Number.isNaN(target.value) ? fill(words.card_to, { name: target.name }) : ofTarget(target);
}

/** "1st", "2nd", "11th". */
export function ordinal(rank: number): string {
  const teen = rank % 100 > 10 && rank % 100 < 14;
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][rank % 10] ?? "th");
  return `${rank}${ending}`;
}
