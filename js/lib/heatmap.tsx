/** A map of cells on canvas: hover, click and keyboard, rings, labels; one tab stop. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { besideSpot, type Cell, layOut, move, type Spot, spotAt } from "./grid";
import { isForMap } from "./keys";
import {
  type Axes,
  type CellPaint,
  labelMargin,
  paintCells,
  paintMarks,
  prepare,
  type Ring,
} from "./paint";
import { usePointed } from "./pointed";
import { useScreen } from "./screen";
import type { Theme } from "./theme";
import { Tooltip } from "./tooltip";
import { useUnique } from "./unique";

export type { Ring } from "./paint";

/**
 * `cells` and the two label functions are compared by identity: keep them with `useMemo` or
 * `useCallback`, so that a click repaints the rings alone.
 */
export type HeatmapProps = {
  /** What the map shows, for screen readers. */
  name: string;
  rows: number;
  cols: number;
  cells: CellPaint;
  rowLabel(row: number): string;
  colLabel(col: number): string;
  rowsAre?: "numbers" | "tokens";
  colsAre?: "numbers" | "tokens";
  colSide?: "above" | "below";
  /** Row 0 at the bottom, as the residual stream flows. */
  upward?: boolean;
  theme: Theme;
  /** The width that the map may take. */
  available: number;
  tallest?: number;
  size?: [least: number, most: number];
  rowHeight?: number;
  rings: Ring[];
  /** Where the keyboard begins. */
  start?: Cell | null;
  tooltip(cell: Cell): ComponentChildren;
  /** One cell in words. */
  speak(cell: Cell): string;
  onSelect(cell: Cell, how: { pin: boolean }): void;
  /** What the key x does to the cell under the cursor. */
  onSwitch?: ((cell: Cell) => void) | undefined;
  onRowLabel?(row: number): void;
  onColLabel?(col: number): void;
  onHover?(spot: Spot | null): void;
  /** What a row's label (no col) or a column's label (no row) tells. */
  labelTip?(label: Spot): ComponentChildren;
  /** A label in words; with it the arrow keys lead on from the cells to the labels. */
  speakLabel?(label: Spot): string;
  /** Beside the map, as high as its cells. */
  legend?(height: number): ComponentChildren;
};

export function Heatmap(props: HeatmapProps): JSX.Element {
  const { rows, cols, cells, rowLabel, colLabel, theme, available, rings, upward = false } = props;
  const { rowsAre = "numbers", colsAre = "numbers", colSide = "below", rowHeight } = props;
  const [least, most] = props.size ?? [2, 28];
  const tallest = props.tallest ?? 420;
  const holder = useRef<HTMLDivElement>(null);
  const ground = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const { ratio, seen } = useScreen(holder);
  const id = useUnique();

  const axes: Axes = useMemo(() => {
    const font = (kind: string) => `11px ${kind === "tokens" ? theme.codeFont : theme.uiFont}`;
    return { rowLabel, colLabel, rowFont: font(rowsAre), colFont: font(colsAre), colSide };
  }, [rowLabel, colLabel, rowsAre, colsAre, colSide, theme]);

  const grid = useMemo(() => {
    const context = new OffscreenCanvas(1, 1).getContext(
      "2d",
    ) as unknown as CanvasRenderingContext2D;
    const margin = labelMargin(context, rows, cols, axes);
    const size: [number, number] = [least, most];
    return layOut({ rows, cols, upward, margin, available, tallest, size, rowHeight, ratio });
  }, [rows, cols, upward, axes, available, tallest, least, most, rowHeight, ratio]);

  useLayoutEffect(() => {
    const context = ground.current && prepare(ground.current, grid, ratio);
    if (context) paintCells(context, grid, cells, theme);
  }, [grid, cells, theme, ratio, seen]);

  const exists = ({ row, col }: Cell) => !Number.isNaN(cells.value(row, col));
  const choose = (spot: Spot | null, pin: boolean) => {
    if (isCell(spot)) {
      if (exists(spot)) props.onSelect(spot, { pin });
    } else if (spot?.row != null) props.onRowLabel?.(spot.row);
    else if (spot?.col != null) props.onColLabel?.(spot.col);
  };
  const { hover, cursor, setCursor, point, press, away } = usePointed<Spot>({
    begin: () => props.start ?? { row: 0, col: 0 },
    move: (at, { key, ctrlKey, metaKey }) =>
      move(grid, at, key, ctrlKey || metaKey, props.speakLabel !== undefined),
    shows: !props.start,
    select: (at) => choose(at, false),
    others: {
      p: (at) => choose(at, true),
      // Without a cursor x is the view's, which switches what is selected.
      x: props.onSwitch && ((at) => isCell(at) && exists(at) && props.onSwitch!(at)),
    },
    takes: isForMap,
    onHover: props.onHover,
  });
  const shown = cursor ?? hover;
  const ringed = JSON.stringify([rings, shown]);
  useLayoutEffect(() => {
    const context = marks.current && prepare(marks.current, grid, ratio);
    if (context) paintMarks(context, grid, axes, rings, shown, theme);
  }, [grid, axes, ringed, theme, ratio, seen]);

  const spotOf = (event: MouseEvent) => spotAt(grid, event.offsetX, event.offsetY, colSide);
  const over = (event: MouseEvent) => {
    const spot = spotOf(event);
    const next = isCell(spot) && !exists(spot) ? null : spot;
    if (next?.row !== hover?.row || next?.col !== hover?.col) point(next);
  };
  const click = (event: MouseEvent) => {
    setCursor(null);
    choose(spotOf(event), event.shiftKey);
  };

  const spoken = !cursor
    ? ""
    : !isCell(cursor)
      ? props.speakLabel?.(cursor)
      : exists(cursor)
        ? props.speak(cursor)
        : "no cell here";
  const told = cursor && !(isCell(cursor) && !exists(cursor)) ? cursor : hover;
  const tip = told && (isCell(told) ? props.tooltip(told) : props.labelTip?.(told));
  const overLive = isCell(hover) || (hover?.row != null ? props.onRowLabel : props.onColLabel);
  const size = { width: `${grid.width}px`, height: `${grid.height}px` };
  const cellsHeight = rows * grid.cellHeight - grid.gap;
  return (
    <div class="rs-map-row">
      <div class="rs-map-scroll" style={{ maxWidth: `${available}px` }}>
        <div
          class="rs-map"
          ref={holder}
          role="grid"
          aria-label={props.name}
          aria-rowcount={rows}
          aria-colcount={cols}
          aria-activedescendant={cursor ? `${id}-cell` : undefined}
          tabIndex={0}
          onKeyDown={press}
          {...away}
          style={size}
          onClick={click}
          onPointerMove={over}
          onPointerDown={over}
        >
          <canvas ref={ground} />
          <canvas ref={marks} class={hover && overLive ? "rs-over" : ""} />
          {cursor && (
            <div class="rs-unseen" role="row" aria-rowindex={(cursor.row ?? -1) + 1}>
              <span role="gridcell" id={`${id}-cell`} aria-colindex={(cursor.col ?? -1) + 1}>
                {spoken}
              </span>
            </div>
          )}
        </div>
      </div>
      {told && tip && <Tooltip anchor={besideSpot(grid, told)}>{tip}</Tooltip>}
      {props.legend && (
        <div class="rs-beside" style={{ paddingTop: `${grid.top}px` }}>
          {props.legend(cellsHeight)}
        </div>
      )}
    </div>
  );
}

function isCell(spot: Spot | null): spot is Cell {
  return spot !== null && spot.row !== null && spot.col !== null;
}
