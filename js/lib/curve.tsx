/** A line over steps with a point each, and what is told of the step under the pointer. */

import type { ComponentChildren, HTMLAttributes, JSX, TargetedMouseEvent } from "preact";
import { useState } from "preact/hooks";
import { number } from "./number";
import { Tooltip } from "./tooltip";
import { unbroken } from "./unbroken";
import "./curve.css";

/** The pixels of the whole, and of the room at the sides of the line. */
export type Size = { width: number; height: number; left: number; right: number };

export type Axes = { x(step: number): number; y(value: number): number; ticks: number[] };

type Props = {
  size: Size;
  values: Float32Array;
  /** Thin lines below it: each prompt's own where the values are means. */
  spread?: Float32Array[];
  /** The untouched run's, dashed, or null. */
  before?: Float32Array | null;
  chosen: number | null;
  tick(step: number): string;
  tip(step: number): ComponentChildren;
  onStep(step: number): void;
  /** What it is to the keyboard and to screen readers. */
  holder: HTMLAttributes<HTMLDivElement>;
};

const [TOP, BOTTOM] = [8, 22];
const TICK_APART = 13;

/** From steps and values to pixels, with zero and as many ends as can be told apart. */
export function axesOf(values: ArrayLike<number>, steps: number, size: Size): Axes {
  const { width, height, left, right } = size;
  const finite = Array.from(values).filter(Number.isFinite);
  const high = Math.max(0, ...finite);
  const low = Math.min(0, ...finite);
  const span = high - low || 1;
  const y = (value: number) => TOP + ((high - value) / span) * (height - TOP - BOTTOM);
  const ends = [high, low].filter((end) => Math.abs(y(end) - y(0)) >= TICK_APART);
  const last = Math.max(1, steps - 1);
  return { x: (step) => left + (step / last) * (width - left - right), y, ticks: [0, ...ends] };
}

/** The step whose point is nearest to x. */
export function stepAt(x: number, steps: number, { width, left, right }: Size): number {
  const share = (x - left) / (width - left - right);
  return Math.min(steps - 1, Math.max(0, Math.round(share * (steps - 1))));
}

export function Curve(props: Props): JSX.Element {
  const { size, values, spread = [], before, chosen, tick } = props;
  const [hover, setHover] = useState<number | null>(null);
  const { width, height, left, right } = size;
  const steps = values.length;
  const last = steps - 1;
  const every = [...values, ...(before ?? []), ...spread.flatMap((row) => [...row])];
  const { x, y, ticks } = axesOf(every, steps, size);
  const parts = unbroken(values);
  const lines = (of: Float32Array, kind: string) =>
    unbroken(of)
      .map((part) => part.map((i) => `${x(i)},${y(of[i]!)}`).join(" "))
      .map((points) => <polyline key={points} class={kind} points={points} />);
  const at = (event: TargetedMouseEvent<HTMLElement>) =>
    stepAt(event.clientX - event.currentTarget.getBoundingClientRect().left, steps, size);
  const radius = last > 24 ? 1.3 : 2.2;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: `holder` says what it is
    // biome-ignore lint/a11y/useKeyWithClickEvents: and takes the keys
    <div
      {...props.holder}
      class="rs-curve"
      onClick={(event) => props.onStep(at(event))}
      onPointerMove={(event) => setHover(at(event))}
      onPointerLeave={() => setHover(null)}
    >
      <svg width={width} height={height} role="presentation">
        <line class="rs-curve-zero" x1={left} x2={width - right} y1={y(0)} y2={y(0)} />
        {chosen !== null && (
          <line class="rs-curve-here" x1={x(chosen)} x2={x(chosen)} y1={TOP} y2={height - BOTTOM} />
        )}
        {spread.flatMap((row) => lines(row, "rs-curve-each"))}
        {before && lines(before, "rs-curve-before")}
        {lines(values, "rs-curve-line")}
        {parts.flat().map((i) => (
          <circle
            key={i}
            class={i === chosen ? "rs-chosen" : ""}
            cx={x(i)}
            cy={y(values[i]!)}
            r={i === chosen ? 4 : i === hover ? 3 : radius}
          />
        ))}
        {ticks.map((value) => (
          <text key={value} x={left - 8} y={y(value)} dy="0.35em" text-anchor="end">
            {number(value)}
          </text>
        ))}
        <text x={left} y={height - 4} dx="-8">
          {tick(0)}
        </text>
        {last > 0 && (
          <text x={width - right} y={height - 4} dx="6" text-anchor="end">
            {tick(last)}
          </text>
        )}
      </svg>
      {hover !== null && !Number.isNaN(values[hover]!) && (
        <Tooltip anchor={{ x: x(hover), y: y(values[hover]!), width: 6, height: 0 }} key={hover}>
          {props.tip(hover)}
        </Tooltip>
      )}
    </div>
  );
}
