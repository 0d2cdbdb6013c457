/** The target's value over depths: a line with one point per depth. */

import type { JSX, TargetedMouseEvent } from "preact";
import { useState } from "preact/hooks";
import { inUnit, number, precise, titleUnit } from "../../lib/number";
import { plain, Say, token } from "../../lib/sentence";
import type { TargetWords } from "../../lib/target";
import type { TokenName } from "../../lib/tokens";
import { Tooltip } from "../../lib/tooltip";
import { unbroken } from "../../lib/unbroken";

type Props = {
  names: string[];
  values: Float32Array;
  /** Null where the target is not read. */
  rank: Int32Array | null;
  /** The token after which the target is put, where it is another than the one it is read at. */
  after: TokenName | null;
  target: TargetWords;
  depth: number | null;
  onDepth(depth: number): void;
};

export type Axis = { x(depth: number): number; y(value: number): number; ticks: number[] };

const WIDTH = 232;
const HEIGHT = 112;
const LEFT = 42;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 22;
const TICK_APART = 13;

export function axisOf(values: ArrayLike<number>): Axis {
  const finite = Array.from(values).filter(Number.isFinite);
  const high = Math.max(0, ...finite);
  const low = Math.min(0, ...finite);
  const span = high - low || 1;
  const last = Math.max(1, values.length - 1);
  const y = (value: number) => TOP + ((high - value) / span) * (HEIGHT - TOP - BOTTOM);
  const ends = [high, low].filter((end) => Math.abs(y(end) - y(0)) >= TICK_APART);
  return { x: (depth) => LEFT + (depth / last) * (WIDTH - LEFT - RIGHT), y, ticks: [0, ...ends] };
}

/** The depth whose point is nearest to x. */
export function depthAt(x: number, depths: number): number {
  const share = (x - LEFT) / (WIDTH - LEFT - RIGHT);
  return Math.min(depths - 1, Math.max(0, Math.round(share * (depths - 1))));
}

export function Curve({ names, values, rank, after, target, depth, onDepth }: Props): JSX.Element {
  const [hover, setHover] = useState<number | null>(null);
  const { x, y, ticks } = axisOf(values);
  const lines = unbroken(values).map((run) => run.map((i) => `${x(i)},${y(values[i]!)}`).join(" "));
  const last = values.length - 1;
  const at = (event: TargetedMouseEvent<SVGSVGElement>) =>
    depthAt(event.clientX - event.currentTarget.getBoundingClientRect().left, values.length);
  const radius = last > 24 ? 1.3 : 2.2;
  const answer = target.wrong ? "right answer" : "answer";
  return (
    <figure class="rs-lens-curve">
      <figcaption class="rs-soft">
        <Say
          words={[
            ...target.name,
            " over layers",
            ...(after ? [", after ", token(after)] : []),
            titleUnit(target.unit),
          ]}
        />
      </figcaption>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the slider does the same by keyboard */}
      <svg
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={`${plain(target.name)} from ${number(values[0]!)} at ${names[0]} to ${number(values[last]!)} at ${names[last]}`}
        onClick={(event) => onDepth(at(event))}
        onPointerMove={(event) => setHover(at(event))}
        onPointerLeave={() => setHover(null)}
      >
        <line class="rs-lens-zero" x1={LEFT} x2={WIDTH - RIGHT} y1={y(0)} y2={y(0)} />
        {depth !== null && (
          <line class="rs-lens-here" x1={x(depth)} x2={x(depth)} y1={TOP} y2={HEIGHT - BOTTOM} />
        )}
        {lines.map((points) => (
          <polyline key={points} points={points} />
        ))}
        {unbroken(values)
          .flat()
          .map((i) => (
            <circle
              key={names[i]}
              class={i === depth ? "rs-chosen" : ""}
              cx={x(i)}
              cy={y(values[i]!)}
              r={i === depth ? 4 : i === hover ? 3 : radius}
            />
          ))}
        {ticks.map((tick) => (
          <text key={tick} x={LEFT - 8} y={y(tick)} dy="0.35em" text-anchor="end">
            {number(tick)}
          </text>
        ))}
        <text x={LEFT} y={HEIGHT - 4} dx="-8">
          {names[0]}
        </text>
        <text x={WIDTH - RIGHT} y={HEIGHT - 4} dx="6" text-anchor="end">
          {names[last]}
        </text>
      </svg>
      {hover !== null && (
        <Tooltip
          anchor={{ x: x(hover), y: y(values[hover]! || 0), width: 6, height: 0 }}
          key={hover}
        >
          <b>{names[hover]}</b> {inUnit(precise(values[hover]!), target.unit)}
          {rank && (
            <>
              <br />
              {answer} at rank {rank[hover]}
            </>
          )}
        </Tooltip>
      )}
    </figure>
  );
}
