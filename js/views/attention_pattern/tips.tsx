/** What the tooltips of the map say: one weight, or the most along a row or a column. */

import type { JSX } from "preact";
import type { Cell, Spot } from "../../lib/grid";
import { precise } from "../../lib/number";
import { Token, type TokenName, visible } from "../../lib/tokens";
import { keysOf, type Look, type Pattern, queriesOf, weightAt } from "./pattern";

type Name = (position: number) => TokenName;

const LISTED = 5;

function Named({ name, position }: { name: Name; position: number }): JSX.Element {
  return (
    <>
      <Token {...name(position)} /> <span class="rs-soft">({position})</span>
    </>
  );
}

type TipProps = { pattern: Pattern; name: Name };

export function CellTip({ pattern, name, row, col }: TipProps & Cell): JSX.Element {
  return (
    <>
      <Named name={name} position={row} /> looks at <Named name={name} position={col} />{" "}
      <b>{precise(weightAt(pattern, row, col))}</b>
    </>
  );
}

export function LabelTip({ pattern, name, row, col }: TipProps & Spot): JSX.Element {
  return (
    <>
      <p>
        <Named name={name} position={row ?? col ?? 0} /> {verb(row)}
      </p>
      <table class="rs-looks">
        {looks(pattern, { row, col }).map(({ position, weight }) => (
          <tr key={position}>
            <td>
              <Named name={name} position={position} />
            </td>
            <td class="rs-number">{precise(weight)}</td>
          </tr>
        ))}
      </table>
    </>
  );
}

export function speakCell(pattern: Pattern, name: Name, { row, col }: Cell): string {
  const weight = precise(weightAt(pattern, row, col));
  return `${spoken(name, row)} looks at ${spoken(name, col)}: ${weight}`;
}

export function speakLabel(pattern: Pattern | null, name: Name, label: Spot): string {
  const own = spoken(name, label.row ?? label.col ?? 0);
  if (!pattern) return own;
  const listed = looks(pattern, label).map(
    ({ position, weight }) => `${spoken(name, position)} ${precise(weight)}`,
  );
  return `${own} ${verb(label.row)} ${listed.join(", ")}`;
}

function looks(pattern: Pattern, { row, col }: Spot): Look[] {
  return row !== null ? keysOf(pattern, row, LISTED) : queriesOf(pattern, col ?? 0, LISTED);
}

function verb(row: number | null): string {
  return row !== null ? "looks at" : "is looked at by";
}

function spoken(name: Name, position: number): string {
  return `${visible(name(position).text)} (${position})`;
}
