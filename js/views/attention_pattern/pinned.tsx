/** The pinned heads beside the map: small pictures to compare with, each of which selects its head. */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Scale } from "../../lib/colour";
import { layOut } from "../../lib/grid";
import { paintCells, paintMarks, prepare } from "../../lib/paint";
import { hasAttention, keysIn, shrink, weightAt } from "../../lib/pattern";
import { useScreen } from "../../lib/screen";
import { headName } from "../../lib/state";
import type { Theme } from "../../lib/theme";
import type { Pin } from "./scene";

type PinProps = {
  pin: Pin;
  chosen: boolean;
  /** The query whose row is marked. */
  query: number | null;
  scale: Scale;
  hideFirst: boolean;
  theme: Theme;
  onSelect(): void;
  onUnpin(): void;
};

const SIDE = 112;
const ROOM = 4;
const ACROSS = SIDE + 2 * ROOM;
const BOX = { width: ACROSS, height: ACROSS };
const STYLE = { width: `${ACROSS}px`, height: `${ACROSS}px` };
const NO_LABELS = { rowLabel: () => "", colLabel: () => "", rowFont: "11px x", colFont: "11px x" };

export function PinnedHead(props: PinProps): JSX.Element {
  const { pin, chosen, query, scale, hideFirst, theme } = props;
  const { head, pattern, inRun } = pin;
  const name = headName(head);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { ratio, seen } = useScreen(canvas);
  const small = useMemo(() => pattern && shrink(pattern, SIDE), [pattern]);

  const full = pattern?.length ?? 0;
  useLayoutEffect(() => {
    const rows = small?.length ?? 0;
    const margin = { left: ROOM, right: ROOM, top: ROOM, bottom: ROOM };
    const available = ACROSS;
    const size: [number, number] = [1, SIDE];
    const tallest = SIDE;
    const upward = false;
    const request = { rows, cols: rows, upward, margin, available, tallest, size, ratio };
    const grid = layOut(request);
    const context = canvas.current && prepare(canvas.current, { ...grid, ...BOX }, ratio);
    if (!context || !small) return;
    const value = (row: number, col: number) =>
      hideFirst && col === 0 ? Number.NaN : weightAt(small, row, col);
    paintCells(context, grid, { value, scale }, theme);
    if (query === null || query >= full) return;
    const row = Math.floor((query * rows) / full);
    const ring = { row, col: null, cols: keysIn(small, row), kind: "selected" } as const;
    paintMarks(context, grid, { ...NO_LABELS, colSide: "above" }, [ring], null, theme);
  }, [small, full, query, scale, hideFirst, theme, ratio, seen]);

  const without = pattern && !hasAttention(pattern);
  const said = !inRun ? "not in this run" : without ? "no attention" : null;
  return (
    <li>
      <button type="button" aria-pressed={chosen} onClick={props.onSelect}>
        {name}
        <canvas ref={canvas} style={STYLE} />
        {said && <span class="rs-soft">{said}</span>}
      </button>
      <button type="button" aria-label={`unpin ${name}`} onClick={props.onUnpin}>
        ×
      </button>
    </li>
  );
}
