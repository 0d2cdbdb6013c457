/** The thin bar beside a map that says which colour is which number. */

import type { JSX } from "preact";
import { css, type Scale } from "./colour";
import { number, signed } from "./number";

type Props = { scale: Scale; height: number };

const STOPS = 17;

export function Legend({ scale, height }: Props): JSX.Element {
  const { low, high } = scale;
  const stops = Array.from({ length: STOPS }, (_, i) =>
    css(scale.at(high + ((low - high) * i) / (STOPS - 1))),
  );
  const write = low < 0 ? signed : number;
  return (
    <div class="rs-legend" style={{ height: `${height}px` }} aria-hidden="true">
      <div style={{ background: `linear-gradient(${stops.join(",")})` }} />
      <ol>
        <li>{write(high)}</li>
        {low < 0 && <li>0</li>}
        <li>{write(low)}</li>
      </ol>
    </div>
  );
}
