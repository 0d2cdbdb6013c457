/** The most likely tokens at the selected cell. */

import type { JSX } from "preact";
import { number, precise, probability } from "../../lib/number";
import type { Row } from "../../lib/state";
import { Token } from "../../lib/tokens";
import type { Lens } from "./data";

type Props = { lens: Lens; row: Row | undefined; depth: number; position: number; most: number };

export function Guesses({ lens, row, depth, position, most }: Props): JSX.Element {
  const side = (id: number) => {
    if (row?.right?.ids.includes(id)) return "rs-right";
    return row?.wrong?.ids.includes(id) ? "rs-wrong" : "";
  };
  return (
    <table class="rs-lens-guesses">
      <caption class="rs-unseen">most likely next tokens at the selected cell</caption>
      <tbody>
        {lens.guesses(depth, position, most).map(({ id, probability: share }, at) => (
          <tr key={at} title={`${precise(share)}, token id ${id}`}>
            <td class={side(id)}>
              <Token {...lens.name(id)} />
            </td>
            <td class="rs-number">{probability(share)}</td>
            <td class="rs-lens-bar">
              <div style={{ width: `max(1px, ${100 * share}%)` }} />
            </td>
          </tr>
        ))}
      </tbody>
      {!Number.isNaN(lens.entropy(depth, position)) && (
        <tfoot>
          <tr>
            <td colSpan={3} class="rs-soft">
              entropy {number(lens.entropy(depth, position))} nats
            </td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}
