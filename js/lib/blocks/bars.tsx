/** The bars, one per part: hover, click and keyboard, rings, numbers; one tab stop. */

import type { ComponentChildren, JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Scale } from "../colour";
import { inUnit, preciseSigned, signed } from "../number";
import { MLP_SHADE } from "../palette";
import { type Pointed, usePointed } from "../pointed";
import { css } from "../rgb";
import type { Head } from "../state";
import type { Theme } from "../theme";
import { Tooltip } from "../tooltip";
import { useUnique } from "../unique";
import { Labels, margins } from "./bar-labels";
import { axisOf, type Layout, type Line, numbered, thickness } from "./bar-layout";

type Props = {
  /** What the numbers are. */
  name: string;
  layout: Layout;
  names: string[];
  /** One value per part, and below them each prompt's own where the bars are means. */
  values: Float32Array;
  spread: Float32Array[];
  /** The untouched run's, marked by a tick each, or null. */
  before: Float32Array | null;
  scale: Scale;
  unit: string;
  theme: Theme;
  available: number;
  pinned: string[];
  head: Head | null;
  /** Where the keyboard begins. */
  start: number;
  onChoose(index: number): void;
  onSwitch: ((index: number) => void) | undefined;
  tip(index: number): ComponentChildren;
};

const WIDEST = 640;
const AXIS_HEIGHT = 20;

export function Bars(props: Props): JSX.Element {
  const { layout, values, spread, before, scale, unit, theme, pinned, head } = props;
  const id = useUnique();

  const width = Math.min(WIDEST, props.available);
  const margin = useMemo(() => margins(layout, values, theme.uiFont), [layout, values, theme]);
  const right = width - margin.right;
  const axis = useMemo(() => {
    const every = [...values, ...(before ?? []), ...spread.flatMap((row) => [...row])];
    return axisOf(every, margin.left, right);
  }, [values, before, spread, margin, right]);
  const lines = useMemo(() => layout.bands.flatMap((band) => band.lines), [layout]);
  const pins = lines.filter((line) => pinned.includes(line.name));

  const boxOf = ({ index, part, y, height }: Line) => {
    // A part may have no number.
    const [from, to] = [axis.x(0), axis.x(values[index]! || 0)];
    const thick = thickness(part, layout.bar);
    const x = Math.min(from, to);
    return { x, y: y + (height - thick) / 2, width: Math.abs(to - from), height: thick };
  };

  const choose = (at: number) => {
    setCursor(at);
    props.onChoose(at);
  };
  const { hover, cursor, setCursor, point, press, away }: Pointed<number> = usePointed<number>({
    begin: () => props.start,
    move: (at, { key }) => {
      const last = lines.length - 1;
      const to = { ArrowUp: at + 1, ArrowDown: at - 1, Home: last, End: 0 }[key];
      return to === undefined ? null : Math.min(last, Math.max(0, to));
    },
    shows: true,
    select: choose,
    others: { p: choose, x: props.onSwitch },
  });
  const shown = cursor ?? hover;

  // Kept while the pointer moves, since there are many marks where there are many prompts.
  const bars = useMemo(() => {
    const withNumber = numbered(layout, values, pinned);
    return [...lines].reverse().map((line) => {
      const { index, name, part, y, height } = line;
      const value = values[index]!;
      const full = Math.sign(value) * scale.high;
      const middle = y + height / 2;
      return (
        <g
          key={name}
          id={`${id}-${index}`}
          role="option"
          aria-selected={pinned.includes(name)}
          aria-label={`${name}: ${inUnit(signed(value), unit)}`}
          onPointerEnter={() => point(index)}
          onPointerDown={() => point(index)}
          onClick={() => {
            setCursor(null);
            props.onChoose(index);
          }}
        >
          <rect class="rs-bar-line" x={0} y={y} width={width} height={height} />
          <rect {...boxOf(line)} fill={css(scale.at(part === "mlp" ? full * MLP_SHADE : full))} />
          {before && !Number.isNaN(before[index]!) && (
            <rect
              class="rs-bar-before"
              x={axis.x(before[index]!) - 1}
              y={y}
              width={2}
              height={height}
            />
          )}
          {spread.length > 0 && (
            <Dots at={numbersAt(spread, index).map(axis.x)} y={middle} small={height < 8} />
          )}
          {withNumber.has(index) && (
            <text class="rs-bar-number" x={width} y={middle} dy="0.35em" text-anchor="end">
              {signed(value)}
            </text>
          )}
        </g>
      );
    });
  }, [layout, values, before, spread, scale, axis, width, pinned.join(), unit, id]);

  const pointed = lines.find((line) => line.index === shown);
  const chosen = head && layout.bands.find((band) => band.layer === head[0]);
  return (
    <div
      class="rs-bars"
      role="listbox"
      aria-label={`${props.name} of each of ${props.names.length} parts`}
      aria-multiselectable
      aria-activedescendant={cursor === null ? undefined : `${id}-${cursor}`}
      tabIndex={0}
      onKeyDown={press}
      {...away}
    >
      <svg role="presentation" width={width} height={layout.bottom + AXIS_HEIGHT}>
        {pointed && (
          <rect
            class="rs-bar-pointed"
            x={margin.left - 4}
            y={pointed.y}
            width={width - margin.left + 4}
            height={pointed.height}
          />
        )}
        <Labels layout={layout} margin={margin} pointed={pointed} chosen={chosen} />
        {chosen && (
          <rect
            class="rs-bar-chosen"
            x={margin.left - 5}
            y={chosen.y + 1}
            width={2}
            height={Math.max(2, chosen.height - 2)}
          />
        )}
        {bars}
        <line class="rs-bar-zero" x1={axis.x(0)} x2={axis.x(0)} y1={0} y2={layout.bottom + 4} />
        {pins.map((line) => (
          <BarRing key={line.name} box={boxOf(line)} kind="pinned" />
        ))}
        {pointed && <BarRing box={boxOf(pointed)} kind="hover" />}
        {axis.ticks.map((tick) => (
          <text key={tick} x={axis.x(tick)} y={layout.bottom + 16} text-anchor="middle">
            {signed(tick)}
          </text>
        ))}
      </svg>
      {pointed && (
        <Tooltip anchor={besideLine(boxOf(pointed), pointed)} key={pointed.name}>
          {props.tip(pointed.index)}
          {spread.length > 0 && (
            <>
              <br />
              {range(numbersAt(spread, pointed.index))}
            </>
          )}
        </Tooltip>
      )}
    </div>
  );
}

/** One dot per prompt, drawn as two strokes however many prompts there are. */
function Dots({ at, y, small }: { at: number[]; y: number; small: boolean }): JSX.Element {
  const path = at.map((x) => `M${x.toFixed(1)} ${y}h0`).join("");
  return (
    <g class={small ? "rs-dots rs-small" : "rs-dots"}>
      <path class="rs-rim" d={path} />
      <path d={path} />
    </g>
  );
}

/** Below the line, where the tooltip hides neither the bar nor its name and number. */
function besideLine(box: Box, { y, height }: Line): Box {
  return { ...box, y: y + height + 4 };
}

type Box = { x: number; y: number; width: number; height: number };

function BarRing({ box, kind }: { box: Box; kind: "pinned" | "hover" }): JSX.Element {
  const out = kind === "pinned" ? 2 : 1;
  return (
    <rect
      class={`rs-bar-${kind}`}
      x={box.x - out}
      y={box.y - out}
      width={box.width + 2 * out}
      height={box.height + 2 * out}
    />
  );
}

/** The numbers that the prompts have of one part. */
function numbersAt(spread: Float32Array[], part: number): number[] {
  return spread.map((row) => row[part]!).filter((value) => !Number.isNaN(value));
}

function range(values: number[]): string {
  if (values.length === 0) return "no prompt has a value";
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${values.length} prompts: ${preciseSigned(low)} to ${preciseSigned(high)}`;
}
