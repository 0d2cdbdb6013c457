/** What the tooltips of the map say: one weight, or the most along a row or a column. */

import type { JSX } from "preact";
import type { Cell, Spot } from "../../lib/grid";
import { keysOf, type Look, type Pattern, queriesOf, weightAt } from "../../lib/pattern";
import { Token, type TokenName, visible } from "../../lib/tokens";
import type { Numbers } from "./numbers";

type Name = (position: number) => TokenName;

const LISTED = 5;

function Named({ name, position }: { name: Name; position: number }): JSX.Element {
  return (
    <>
      <Token {...name(position)} /> <span class="rs-soft">({position})</span>
    </>
  );
}

type TipProps = { pattern: Pattern; numbers: Numbers; name: Name };

export function CellTip({ pattern, numbers, name, row, col }: TipProps & Cell): JSX.Element {
  return (
    <>
      <Named name={name} position={row} /> {numbers.takes} <Named name={name} position={col} />{" "}
      <b>{numbers.told(weightAt(pattern, row, col))}</b>
    </>
  );
}

export function LabelTip({ pattern, numbers, name, row, col }: TipProps & Spot): JSX.Element {
  return (
    <>
      <p>
        <Named name={name} position={row ?? col ?? 0} /> {verb(numbers, row)}
      </p>
      <table class="rs-looks">
        {looks(pattern, { row, col }).map(({ position, weight }) => (
          <tr key={position}>
            <td>
              <Named name={name} position={position} />
            </td>
            <td class="rs-number">{numbers.told(weight)}</td>
          </tr>
        ))}
      </table>
    </>
  );
}

export function speakCell({ pattern, numbers, name }: TipProps, { row, col }: Cell): string {
  const weight = numbers.told(weightAt(pattern, row, col));
  return `${spoken(name, row)} ${numbers.takes} ${spoken(name, col)}: ${weight}`;
}

export function speakLabel(shown: TipProps | null, name: Name, label: Spot): string {
  const own = spoken(name, label.row ?? label.col ?? 0);
  if (!shown) return own;
  const listed = looks(shown.pattern, label).map(
    ({ position, weight }) => `${spoken(name, position)} ${shown.numbers.told(weight)}`,
  );
  return `${own} ${verb(shown.numbers, label.row)} ${listed.join(", ")}`;
}

function looks(pattern: Pattern, { row, col }: Spot): Look[] {
  return row !== null ? keysOf(pattern, row, LISTED) : queriesOf(pattern, col ?? 0, LISTED);
}

function verb({ takes, gives }: Numbers, row: number | null): string {
  return row !== null ? takes : gives;
}

function spoken(name: Name, position: number): string {
  return `${visible(name(position).text)} (${position})`;
}
