/** A quantity whose numbers have names of their own, or no axis: a table of both. */

import type { JSX } from "preact";
import { number, signed } from "../number";
import { labelOf, nameOf } from "../quantity";
import { Token } from "../tokens";
import type { BlockProps } from "./block";

export function TableBlock({ shown, run }: BlockProps): JSX.Element {
  const { values, before, sizes, of } = shown;
  const write = shown.signed ? signed : number;
  const lines = Array.from({ length: sizes[0] ?? 1 }, (_, at) => at).filter(
    (at) => !Number.isNaN(values[at]!),
  );
  const compared = shown.show === "now" ? before : null;
  return (
    <table class="rs-values-table">
      <tbody>
        {lines.map((at) => (
          <tr key={at}>
            <th scope="row">
              <Token
                text={labelOf(shown, at) || (sizes.length ? nameOf(shown, [at], run) : of.name)}
              />
            </th>
            <td class="rs-number">{write(values[at]!)}</td>
            {compared && <td class="rs-number rs-soft">before {write(compared[at]!)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
