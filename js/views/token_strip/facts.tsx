/** The target in numbers, in one line and in one sentence. */

import type { JSX } from "preact";
import { number, probability } from "../../lib/number";
import { type Part, Say, strong, token } from "../../lib/sentence";
import type { Header } from "../../lib/state";
import { targetOf } from "../../lib/target";
import { Token, tokenAt } from "../../lib/tokens";

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
        {target.wrong ? "difference" : target.alone} <b>{number(target.value)}</b> {target.unit}
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
  const at = (where: number): Part[] => [token(tokenAt(run, row ?? 0, where)), ` (${where})`];
  if (!run.model) return position === null ? [] : ["Looking at ", ...at(position), "."];
  if (position !== null && position !== shown.read) {
    const id = shown.ids[position];
    return [
      "Looking at ",
      ...at(position),
      `, token ${id}; the target is read at `,
      ...at(shown.read),
      ".",
    ];
  }
  const where: Part[] =
    row === null
      ? [`On average over ${run.rows.length} prompts, `]
      : ["After ", ...at(shown.read), ", "];
  const value = target.wrong ? Math.abs(target.value) : target.value;
  const amount: Part[] = [strong(number(value)), ` ${target.unit}.`];
  if (!target.wrong) return [...where, `the ${target.alone} of `, target.right, " is ", ...amount];
  const order = target.value < 0 ? " is behind " : " is ahead of ";
  return [...where, target.right, order, target.wrong, " by ", ...amount];
}
