/** The whole of a large map, small: a frame shows what the map beside it shows, and moves it. */

import type { JSX, TargetedPointerEvent } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Scale } from "../../lib/colour";
import { layOut } from "../../lib/grid";
import { number } from "../../lib/number";
import { paintCells, prepare } from "../../lib/paint";
import { type Pattern, shrink, weightAt } from "../../lib/pattern";
import { css } from "../../lib/rgb";
import { useScreen } from "../../lib/screen";
import type { Theme } from "../../lib/theme";
import { type Pane, paneAfter, paneAt, SIDES } from "./panes";

type Props = {
  pattern: Pattern;
  pane: Pane;
  scale: Scale;
  hideFirst: boolean;
  theme: Theme;
  onPane(pane: Pane): void;
};

const SIDE = 144;

function clamp(at: number): number {
  return Math.min(SIDE - 2, Math.max(2, at));
}

const BOX = { width: SIDE, height: SIDE };

export function Overview({ pattern, pane, scale, hideFirst, theme, onPane }: Props): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { ratio, seen } = useScreen(canvas);
  const { length } = pattern;
  const small = useMemo(() => shrink(pattern, SIDE), [pattern]);
  const share = SIDE / length;

  useLayoutEffect(() => {
    const margin = { left: 0, right: 0, top: 0, bottom: 0 };
    const size: [number, number] = [1, SIDE];
    const cells = { rows: small.length, cols: small.length, upward: false, margin, size, ratio };
    const grid = layOut({ ...cells, available: SIDE, tallest: SIDE });
    const context = canvas.current && prepare(canvas.current, BOX, ratio);
    if (!context) return;
    const value = (row: number, col: number) =>
      hideFirst && col === 0 ? Number.NaN : weightAt(small, row, col);
    paintCells(context, grid, { value, scale }, theme);
    context.strokeStyle = css(theme.accent);
    context.lineWidth = 2;
    // Outside what it frames, as far as the picture reaches.
    const [left, right] = [pane.col, pane.col + pane.side].map((at) => clamp(at * share));
    const [top, bottom] = [pane.row, pane.row + pane.side].map((at) => clamp(at * share));
    context.strokeRect(left! - 1, top! - 1, right! - left! + 2, bottom! - top! + 2);
  }, [small, pane, scale, hideFirst, theme, ratio, seen, share]);

  const drag = (event: TargetedPointerEvent<HTMLDivElement>) => {
    if (event.type === "pointermove" && !(event.buttons & 1)) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    onPane(paneAt(event.offsetY / share, event.offsetX / share, pane.side, length));
  };
  const last = ({ side }: Pane, from: number) => Math.min(length, from + side) - 1;
  const at = SIDES.indexOf(pane.side);
  const resize = (side: number | undefined) => {
    if (side) onPane(paneAt(pane.row + pane.side / 2, pane.col + pane.side / 2, side, length));
  };
  return (
    <div class="rs-overview">
      <div
        role="application"
        aria-label={`all ${length} tokens; the map shows rows ${pane.row} to ${last(pane, pane.row)}, columns ${pane.col} to ${last(pane, pane.col)}; arrow keys move it`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it pans by arrow keys
        tabIndex={0}
        onPointerDown={drag}
        onPointerMove={drag}
        onKeyDown={(event) => {
          const next = paneAfter(pane, event.key, length);
          if (!next) return;
          onPane(next);
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <canvas ref={canvas} />
      </div>
      <p class="rs-soft">
        <button
          type="button"
          class="rs-round"
          aria-label="show more tokens"
          disabled={at === SIDES.length - 1}
          onClick={() => resize(SIDES[at + 1])}
        >
          −
        </button>
        <button
          type="button"
          class="rs-round"
          aria-label="show fewer tokens"
          disabled={at === 0}
          onClick={() => resize(SIDES[at - 1])}
        >
          +
        </button>
        <span>
          {pane.side} of {number(length)}
        </span>
      </p>
    </div>
  );
}
