/** A quantity along layers or depths as a curve: click and arrow keys move the slider of all views. */

import type { JSX, TargetedMouseEvent } from "preact";
import { useState } from "preact/hooks";
import { isPlain } from "../keys";
import { inUnit, number, precise } from "../number";
import { chosenAt, nameOf, picked, tickOf } from "../quantity";
import { Tooltip } from "../tooltip";
import { unbroken } from "../unbroken";
import { type BlockProps, beside, written } from "./block";

export type Axes = { x(step: number): number; y(value: number): number; ticks: number[] };

const WIDEST = 420;
const HEIGHT = 140;
const LEFT = 48;
const RIGHT = 12;
const TOP = 8;
const BOTTOM = 22;
const TICK_APART = 13;

/** From steps and values to pixels, with zero and as many ends as can be told apart. */
export function axesOf(values: ArrayLike<number>, steps: number, width: number): Axes {
  const finite = Array.from(values).filter(Number.isFinite);
  const high = Math.max(0, ...finite);
  const low = Math.min(0, ...finite);
  const span = high - low || 1;
  const y = (value: number) => TOP + ((high - value) / span) * (HEIGHT - TOP - BOTTOM);
  const ends = [high, low].filter((end) => Math.abs(y(end) - y(0)) >= TICK_APART);
  const last = Math.max(1, steps - 1);
  return { x: (step) => LEFT + (step / last) * (width - LEFT - RIGHT), y, ticks: [0, ...ends] };
}

export function CurveBlock(props: BlockProps): JSX.Element {
  const { shown, run, selection } = props;
  const { dims, sizes, values, before, spread, show, of } = shown;
  const [hover, setHover] = useState<number | null>(null);
  const steps = sizes[0]!;
  const last = steps - 1;
  const width = Math.min(WIDEST, props.available);
  const reference = show === "now" ? before : null;
  const each = [...values, ...(reference ?? []), ...spread.flatMap((row) => [...row])];
  const { x, y, ticks } = axesOf(each, steps, width);
  const [chosen = null] = chosenAt(shown, selection, run);
  const points = (of: ArrayLike<number>) =>
    unbroken(of).map((some) => some.map((i) => `${x(i)},${y(of[i]!)}`).join(" "));
  const lines = (of: ArrayLike<number>, kind: string) =>
    points(of).map((path) => <polyline key={path} class={kind} points={path} />);
  const stepAt = (event: TargetedMouseEvent<HTMLElement>) => {
    const left = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const share = (left - LEFT) / (width - LEFT - RIGHT);
    return Math.min(last, Math.max(0, Math.round(share * last)));
  };
  const select = (step: number) => props.select(picked(dims, [step], run));
  const press = (event: KeyboardEvent) => {
    if (!isPlain(event)) return;
    const at = chosen ?? last;
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (to === undefined) return;
    select(Math.min(last, Math.max(0, to)));
    event.preventDefault();
    event.stopPropagation();
  };
  const tick = (step: number) => tickOf(shown, dims[0]!, step, run);
  const compared = hover !== null && beside(shown, [hover]);
  const radius = last > 24 ? 1.3 : 2.2;
  return (
    <div
      class="rs-curve"
      role="slider"
      aria-label={`${of.name} over ${dims[0]}s`}
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={chosen ?? 0}
      aria-valuetext={
        chosen === null
          ? "nothing is selected here"
          : `${tick(chosen)}: ${inUnit(precise(values[chosen]!), of.unit)}`
      }
      tabIndex={0}
      data-lm-suppress-shortcuts="true"
      onKeyDown={press}
      onClick={(event) => select(stepAt(event))}
      onPointerMove={(event) => setHover(stepAt(event))}
      onPointerLeave={() => setHover(null)}
    >
      <svg width={width} height={HEIGHT} role="presentation">
        <line class="rs-curve-zero" x1={LEFT} x2={width - RIGHT} y1={y(0)} y2={y(0)} />
        {chosen !== null && (
          <line class="rs-curve-here" x1={x(chosen)} x2={x(chosen)} y1={TOP} y2={HEIGHT - BOTTOM} />
        )}
        {spread.flatMap((row) => lines(row, "rs-curve-each"))}
        {reference && lines(reference, "rs-curve-before")}
        {lines(values, "rs-curve-line")}
        {unbroken(values)
          .flat()
          .map((i) => (
            <circle
              key={i}
              class={i === chosen ? "rs-chosen" : ""}
              cx={x(i)}
              cy={y(values[i]!)}
              r={i === chosen ? 4 : i === hover ? 3 : radius}
            />
          ))}
        {ticks.map((value) => (
          <text key={value} x={LEFT - 8} y={y(value)} dy="0.35em" text-anchor="end">
            {number(value)}
          </text>
        ))}
        <text x={LEFT} y={HEIGHT - 4} dx="-8">
          {tick(0)}
        </text>
        {last > 0 && (
          <text x={width - RIGHT} y={HEIGHT - 4} dx="6" text-anchor="end">
            {tick(last)}
          </text>
        )}
      </svg>
      {hover !== null && !Number.isNaN(values[hover]!) && (
        <Tooltip anchor={{ x: x(hover), y: y(values[hover]!), width: 6, height: 0 }} key={hover}>
          <b>{nameOf(shown, [hover], run)}</b> {written(shown, values[hover]!)}
          {compared && (
            <>
              <br />
              <span class="rs-soft">{compared}</span>
            </>
          )}
        </Tooltip>
      )}
    </div>
  );
}
