/** The thin bar beside a map, or in a line of text, that says which colour is which number. */

import type { JSX } from "preact";
import type { Scale } from "./colour";
import { number, signed } from "./number";
import { css } from "./rgb";

type Props = { scale: Scale; height: number };

const STOPS = 17;

export function Legend({ scale, height }: Props): JSX.Element {
  const { low, high } = scale;
  const write = writeOf(scale);
  return (
    <div class="rs-legend" style={{ height: `${height}px` }} aria-hidden="true">
      <div style={{ background: gradient(scale, "to top") }} />
      <ol>
        <li>{write(high)}</li>
        {low < 0 && <li>0</li>}
        <li>{write(low)}</li>
      </ol>
    </div>
  );
}

/** The same in a line of text, from the least to the most. */
export function FlatLegend({ scale }: { scale: Scale }): JSX.Element {
  const write = writeOf(scale);
  return (
    <span class="rs-flat">
      {write(scale.low)} <i style={{ background: gradient(scale, "to right") }} />{" "}
      {write(scale.high)}
    </span>
  );
}

function writeOf({ low }: Scale): (value: number) => string {
  return low < 0 ? signed : number;
}

function gradient(scale: Scale, side: string): string {
  const { low, high } = scale;
  const stops = Array.from({ length: STOPS }, (_, i) =>
    css(scale.at(low + ((high - low) * i) / (STOPS - 1))),
  );
  return `linear-gradient(${side},${stops.join(",")})`;
}
