/** The target in numbers, in one line and in one sentence. */

import type { JSX } from "preact";
import * as words from "../../../src/residscope/data/words.json";
import { number, probability } from "../../lib/number";
import { type Part, Say, token } from "../../lib/sentence";
import type { Header } from "../../lib/state";
import { kindOf, targetOf, whereTarget } from "../../lib/target";
import { Token, tokenAt } from "../../lib/tokens";
import { fill } from "../../lib/words";

type Props = {
  run: Header;
  /** Null is the mean over rows. */
  row: number | null;
  /** Whether the model's top two tokens are explained, for want of answers. */
  own: boolean;
};

export function Facts({ run, row, own }: Props): JSX.Element {
  const target = targetOf(run.rows, row);
  const one = row === null ? null : run.rows[row];
  const mean = one ? "" : "mean ";
  return (
    <p class="rs-facts">
      <span>
        <b class="rs-right">
          <Say words={[target.right]} />
        </b>{" "}
        {target.wrong ? (
          <>
            against{" "}
            <b class="rs-wrong">
              <Say words={[target.wrong]} />
            </b>
          </>
        ) : (
          "alone"
        )}
      </span>
      {own && <span>the model's own top two</span>}
      <span>
        {mean}
        {target.wrong ? "difference" : kindOf(target)} <b>{number(target.value)}</b> {target.unit}
      </span>
      {one ? (
        <>
          {one.right_prob !== null && (
            <span>
              P <b>{probability(one.right_prob, 4)}</b>
            </span>
          )}
          {one.right_rank !== null && (
            <span>
              rank <b>{one.right_rank}</b>
            </span>
          )}
          <span>
            read at <Token {...tokenAt(run, row!, one.read)} /> ({one.read}), predicts (
            {one.read + 1})
          </span>
        </>
      ) : (
        <span>over {target.rows.length} prompts</span>
      )}
    </p>
  );
}

/** "After ·to (14), ·Mary is ahead of ·John by 10.80 logits." */
export function sentence(run: Header, row: number | null, position: number | null): Part[] {
  const target = targetOf(run.rows, row);
  const shown = run.rows[row ?? 0];
  if (!shown) return [];
  const at = (where: number) => ({
    token: token(tokenAt(run, row ?? 0, where)),
    position: String(where),
  });
  if (position !== null && (!run.model || position !== shown.read)) {
    const read = at(shown.read);
    return fill(run.model ? words.looking_elsewhere : words.looking_at, {
      ...at(position),
      id: String(shown.ids[position]),
      read: read.token,
      read_position: read.position,
    });
  }
  if (!run.model) return [];
  const aim = whereTarget(target, target.value);
  return row === null
    ? fill(words.on_average, { rows: String(run.rows.length), target: aim })
    : fill(words.after, { ...at(shown.read), target: aim });
}
