/** What switching the head off costs the target, measured on demand, beside what it writes itself. */

import type { JSX } from "preact";
import { needsModel } from "../../lib/frame";
import { inUnit, signed } from "../../lib/number";
import { type Head, headName } from "../../lib/state";
import type { View } from "../../lib/view";

type Props = {
  // biome-ignore lint/suspicious/noExplicitAny: of any model
  view: View<any>;
  run: number;
  row: number;
  head: Head;
  /** The head's direct effect on the target, or null. */
  direct: number | null;
  unit: string;
};

/** By what the head becomes. */
type Sent = { causal: [kind: string, effect: number][] };

export function Causal({ view, run, row, head, direct, unit }: Props): JSX.Element {
  const key = `causal/${row}/${headName(head)}`;
  const answer = view.ask.get(run, key);
  if (!answer) {
    return (
      <button
        type="button"
        class="rs-button"
        {...needsModel(view)}
        onClick={() => view.ask.want(run, [key])}
      >
        what switching it off costs
      </button>
    );
  }
  if (answer.error) return <span class="rs-soft">{answer.error}</span>;
  const effects = (answer.info as Sent).causal;
  const costs = effects.map(([kind, effect]) => `${signed(effect)} (${kind})`).join(", ");
  const [, most] = effects[0]!;
  return (
    <span class="rs-causal">
      switched off it costs {inUnit(costs, unit)}
      {direct !== null && `, ${compared(direct, most)}`}
    </span>
  );
}

/** Whether what a head costs is what it writes. */
export function compared(direct: number, causal: number): string {
  if (direct * causal < 0) return "the opposite of its direct effect: later layers turn it round";
  if (Math.abs(causal) < Math.abs(direct) / 2) {
    return "much less than its direct effect: later parts make up for it";
  }
  if (Math.abs(causal) > 2 * Math.abs(direct)) {
    return "much more than its direct effect: it works through later layers";
  }
  return "in line with its direct effect";
}
