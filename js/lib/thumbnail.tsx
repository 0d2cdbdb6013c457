/** A head's map drawn small on a canvas, with the mark of one query. */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Scale } from "./colour";
import { layOut } from "./grid";
import { paintCells, paintMarks, prepare } from "./paint";
import { keysIn, type Pattern, shrink, weightAt } from "./pattern";
import { useScreen } from "./screen";
import type { Theme } from "./theme";

type Props = {
  pattern: Pattern | null;
  /** The pixels of a side. */
  side: number;
  /** The query whose row is marked, of so many in the prompt. */
  query?: number | null;
  length?: number;
  scale: Scale;
  hideFirst?: boolean;
  theme: Theme;
};

const ROOM = 4;
const NO_LABELS = { rowLabel: () => "", colLabel: () => "", rowFont: "11px x", colFont: "11px x" };

export function Thumbnail(props: Props): JSX.Element {
  const { pattern, side, query = null, length = 0, scale, hideFirst = false, theme } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { ratio, seen } = useScreen(canvas);
  const small = useMemo(() => pattern && shrink(pattern, side), [pattern, side]);
  const across = side + 2 * ROOM;

  useLayoutEffect(() => {
    const box = { width: across, height: across };
    const context = canvas.current && prepare(canvas.current, box, ratio);
    if (!context || !small) return;
    const rows = small.length;
    const grid = layOut({
      ...{
        rows,
        cols: rows,
        upward: false,
        available: across,
        tallest: side,
        size: [1, side],
        ratio,
      },
      margin: { left: ROOM, right: ROOM, top: ROOM, bottom: ROOM },
    });
    const value = (row: number, col: number) =>
      hideFirst && col === 0 ? Number.NaN : weightAt(small, row, col);
    paintCells(context, grid, { value, scale }, theme);
    if (query === null || query >= length) return;
    const row = Math.floor((query * rows) / length);
    const ring = { row, col: null, cols: keysIn(small, row), kind: "selected" } as const;
    paintMarks(context, grid, { ...NO_LABELS, colSide: "above" }, [ring], null, theme);
  }, [small, query, length, scale, hideFirst, theme, ratio, seen, across, side]);

  return <canvas ref={canvas} />;
}
