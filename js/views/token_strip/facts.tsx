/** The target in numbers, in one line and in one sentence. */

import type { JSX } from "preact";
import * as words from "../../../src/residscope/data/words.json";
import { number, probability, signed } from "../../lib/number";
import { type Part, Say, token } from "../../lib/sentence";
import type { Header } from "../../lib/state";
import { kindOf, targetOf, whereTarget } from "../../lib/target";
import { Token, tokenAt } from "../../lib/tokens";
import { fill } from "../../lib/words";

type Props = {
  run: Header;
  /** Null is the mean over rows. */
  row: number | null;
  /** Whether there are no answers, so that the model's top two tokens are explained. */
  own: boolean;
};

export function Facts({ run, row, own }: Props): JSX.Element {
  const target = targetOf(run.rows, row);
  const one = row === null ? null : run.rows[row];
  const mean = one ? null : "mean ";
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
        {target.wrong ? "difference" : kindOf(target)}{" "}
        {target.before !== null && `${number(target.before)} → `}
        <b>{number(target.value)}</b>
        {target.before !== null && `, ${signed(target.value - target.before)}`} {target.unit}
      </span>
      {one ? (
        <>
          {one.right_prob !== null && (
            <span>
              P {from(one.before?.right_prob, (before) => probability(before, 4))}
              <b>{probability(one.right_prob, 4)}</b>
            </span>
          )}
          {one.right_rank !== null && (
            <span>
              rank {from(one.before?.right_rank, String)}
              <b>{one.right_rank}</b>
            </span>
          )}
          {one.before && (
            <span title="KL divergence of the next-token distribution from the untouched run's">
              KL <b>{number(one.before.kl)}</b> nats
            </span>
          )}
          <span>
            read at <Token {...tokenAt(run, row!, one.target_position)} /> ({one.target_position}),
            predicts ({one.target_position + 1})
          </span>
        </>
      ) : (
        <span>over {target.rows.length} prompts</span>
      )}
    </p>
  );
}

/** "0.9998 → ", where there is a number before. */
function from(before: number | null | undefined, write: (before: number) => string): string {
  return before === null || before === undefined ? "" : `${write(before)} → `;
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
  const read = at(shown.target_position);
  if (position !== null && (!run.model || position !== shown.target_position)) {
    return fill(run.model ? words.looking_elsewhere : words.looking_at, {
      ...at(position),
      id: String(shown.ids[position]),
      read: read.token,
      read_position: read.position,
    });
  }
  if (!run.model) return [];
  const [most] = run.answered;
  const after = [words.after, words.after_change, words.after_answer];
  const average = [words.on_average, words.on_average_change, words.on_average_answer];
  const template = row === null ? average : after;
  return fill(template[target.before === null ? 0 : most ? 2 : 1]!, {
    ...read,
    rows: String(run.rows.length),
    target: whereTarget(target, target.value),
    before: signed(target.before ?? 0),
    part: most?.[0] ?? "",
    change: signed(most?.[1] ?? 0),
  });
}
