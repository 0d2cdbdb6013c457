/** The target in numbers, in one line and in one sentence. */

import type { JSX } from "preact";
import { number, probability, signed } from "../../lib/number";
import { type Part, Say, strong, token } from "../../lib/sentence";
import type { Header } from "../../lib/state";
import { type TargetWords, targetOf } from "../../lib/target";
import { Token, tokenAt } from "../../lib/tokens";

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
        {target.wrong ? "difference" : target.alone}{" "}
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

/** ", before +12.31; among later parts L3.mlp changed most, by −1.39." */
function changed(run: Header, { before }: TargetWords): string {
  if (before === null) return ".";
  const [most] = run.answered;
  const answer = most ? `; among later parts ${most[0]} changed most, by ${signed(most[1])}` : "";
  return `, before ${signed(before)}${answer}.`;
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
  const at = (where: number): Part[] => [token(tokenAt(run, row ?? 0, where)), ` (${where})`];
  if (!run.model) return position === null ? [] : ["Looking at ", ...at(position), "."];
  if (position !== null && position !== shown.target_position) {
    const id = shown.ids[position];
    return [
      "Looking at ",
      ...at(position),
      `, token ${id}; the target is read at `,
      ...at(shown.target_position),
      ".",
    ];
  }
  const where: Part[] =
    row === null
      ? [`On average over ${run.rows.length} prompts, `]
      : ["After ", ...at(shown.target_position), ", "];
  const value = target.wrong ? Math.abs(target.value) : target.value;
  const amount: Part[] = [strong(number(value)), ` ${target.unit}${changed(run, target)}`];
  if (!target.wrong) return [...where, `the ${target.alone} of `, target.right, " is ", ...amount];
  const order = target.value < 0 ? " is behind " : " is ahead of ";
  return [...where, target.right, order, target.wrong, " by ", ...amount];
}
