/** A map of cells on canvas: hover, click and keyboard, rings, labels; one tab stop. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Cell, cellBox, layOut, move, type Spot, spotAt } from "./grid";
import {
  type Axes,
  type CellPaint,
  labelMargin,
  paintCells,
  paintMarks,
  prepare,
  type Ring,
} from "./paint";
import type { Theme } from "./theme";
import { Tooltip } from "./tooltip";

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
  onRowLabel?(row: number): void;
  onColLabel?(col: number): void;
  onHover?(spot: Spot | null): void;
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
  const [hover, setHover] = useState<Spot | null>(null);
  const [cursor, setCursor] = useState<Cell | null>(null);
  const { ratio, seen } = useScreen(holder);
  const id = useId();

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

  const shown = cursor ?? hover;
  useLayoutEffect(() => {
    const context = marks.current && prepare(marks.current, grid, ratio);
    if (context) paintMarks(context, grid, axes, rings, shown, theme);
  });

  const exists = ({ row, col }: Cell) => !Number.isNaN(cells.value(row, col));
  const point = (spot: Spot | null) => {
    const missing = isCell(spot) && !exists(spot);
    const next = missing ? null : spot;
    if (next?.row === hover?.row && next?.col === hover?.col) return;
    setHover(next);
    props.onHover?.(next);
  };
  const spotOf = (event: MouseEvent) => spotAt(grid, event.offsetX, event.offsetY);

  const click = (event: MouseEvent) => {
    const spot = spotOf(event);
    setCursor(null);
    if (isCell(spot)) {
      if (exists(spot)) props.onSelect(spot, { pin: event.shiftKey });
    } else if (spot?.row != null) props.onRowLabel?.(spot.row);
    else if (spot?.col != null) props.onColLabel?.(spot.col);
  };

  const begin = (): Cell => cursor ?? props.start ?? { row: 0, col: 0 };
  const press = (event: KeyboardEvent) => {
    const to = move(grid, begin(), event.key, event.ctrlKey || event.metaKey);
    // The first arrow shows where the keyboard is; from there arrows move.
    if (to) setCursor(cursor ? to : props.start ? to : begin());
    else if (event.key === "Enter" || event.key === " ") props.onSelect(begin(), { pin: false });
    else if (event.key === "p") props.onSelect(begin(), { pin: true });
    else if (event.key === "Escape") {
      setCursor(null);
      holder.current?.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const active = cursor && exists(cursor) ? cursor : null;
  const told = active ?? (isCell(hover) ? hover : null);
  const canvasStyle = { width: `${grid.width}px`, height: `${grid.height}px` };
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
          data-lm-suppress-shortcuts="true"
          style={canvasStyle}
          onKeyDown={press}
          onBlur={() => setCursor(null)}
          onClick={click}
          onPointerMove={(event) => point(spotOf(event))}
          onPointerDown={(event) => point(spotOf(event))}
          onPointerLeave={() => point(null)}
        >
          <canvas ref={ground} style={canvasStyle} />
          <canvas ref={marks} style={canvasStyle} class={isCell(hover) ? "rs-over" : ""} />
          {cursor && (
            <div class="rs-unseen" role="row" aria-rowindex={cursor.row + 1}>
              <span role="gridcell" id={`${id}-cell`} aria-colindex={cursor.col + 1}>
                {active ? props.speak(active) : "no such cell"}
              </span>
            </div>
          )}
        </div>
      </div>
      {told && (
        <Tooltip anchor={cellBox(grid, told)} key={`${told.row}.${told.col}`}>
          {props.tooltip(told)}
        </Tooltip>
      )}
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

/** The screen's pixel ratio, and a count of how often the element came back into sight. */
function useScreen(element: { current: HTMLElement | null }): { ratio: number; seen: number } {
  const window = element.current?.ownerDocument.defaultView ?? globalThis.window;
  const [ratio, setRatio] = useState(window.devicePixelRatio);
  const [seen, setSeen] = useState(0);

  useEffect(() => {
    const query = window.matchMedia(`(resolution: ${ratio}dppx)`);
    const change = () => setRatio(window.devicePixelRatio);
    query.addEventListener("change", change, { once: true });
    return () => query.removeEventListener("change", change);
  }, [window, ratio]);

  useEffect(() => {
    if (!element.current) return;
    // A notebook takes cells out of the page as they scroll away, and canvases may come back blank.
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) setSeen((count) => count + 1);
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);

  return { ratio, seen };
}
