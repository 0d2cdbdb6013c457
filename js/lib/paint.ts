/** Paint a map on canvas: its cells on one layer, its labels and rings on another. */

import { inkOn, type Scale } from "./colour";
import { cellBox, type Grid, type Spot, TURN, ticks } from "./grid";
import { css } from "./rgb";
import type { Theme } from "./theme";

export type Axes = {
  rowLabel(row: number): string;
  colLabel(col: number): string;
  rowFont: string;
  colFont: string;
  /** Labels of tokens stand above, turned; numbers stand below. */
  colSide: "above" | "below";
};

/** A ring about a cell, a row (no col; its first `cols` cells, or all) or a column (no row). */
export type Ring = Spot & { kind: "selected" | "pinned"; cols?: number };

export type CellPaint = {
  /** NaN where there is no such cell. */
  value(row: number, col: number): number;
  scale: Scale;
  text?: ((row: number, col: number) => string) | undefined;
  /** Whether a cell is empty and slashed, as what is switched off is. */
  off?: ((row: number, col: number) => boolean) | undefined;
};

type Context = CanvasRenderingContext2D;

const LABEL_GAP = 7;

/**
 * Make the canvas cover `size` at `ratio` device pixels to a CSS pixel, and clear it. It is a whole number of device
 * pixels, as far as there is room, since a part of one would blur it all.
 */
export function prepare(
  canvas: HTMLCanvasElement,
  size: Pick<Grid, "width" | "height">,
  ratio: number,
): Context | null {
  canvas.width = Math.floor(size.width * ratio);
  canvas.height = Math.floor(size.height * ratio);
  canvas.style.width = `${canvas.width / ratio}px`;
  canvas.style.height = `${canvas.height / ratio}px`;
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

export function paintCells(context: Context, grid: Grid, cells: CellPaint, theme: Theme): void {
  if (grid.gap === 0) paintPixels(context, grid, cells);
  else paintSquares(context, grid, cells, theme);
}

function paintSquares(context: Context, grid: Grid, cells: CellPaint, theme: Theme): void {
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `11px ${theme.codeFont}`;
  for (let row = 0; row < grid.rows; row++) {
    for (let col = 0; col < grid.cols; col++) {
      const value = cells.value(row, col);
      if (Number.isNaN(value)) continue;
      const { x, y, width, height } = cellBox(grid, { row, col });
      if (cells.off?.(row, col)) {
        paintSlash(context, x, y, width - grid.gap, height - grid.gap, theme);
        continue;
      }
      const ground = cells.scale.at(value);
      context.fillStyle = css(ground);
      context.fillRect(x, y, width - grid.gap, height - grid.gap);
      const text = cells.text?.(row, col);
      if (!text) continue;
      context.fillStyle = css(inkOn(ground, theme));
      const room = width - grid.gap - 4;
      context.fillText(text, x + (width - grid.gap) / 2, y + (height - grid.gap) / 2 + 0.5, room);
    }
  }
}

function paintSlash(
  context: Context,
  x: number,
  y: number,
  width: number,
  height: number,
  theme: Theme,
): void {
  context.strokeStyle = css(theme.soft);
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  context.beginPath();
  context.moveTo(x + 2, y + height - 2);
  context.lineTo(x + width - 2, y + 2);
  context.stroke();
}

/** Small cells are one image, since a rectangle each would take seconds. */
function paintPixels(context: Context, grid: Grid, cells: CellPaint): void {
  const { rows, cols } = grid;
  const image = new ImageData(cols, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0; row < rows; row++) {
    const line = grid.upward ? rows - 1 - row : row;
    for (let col = 0; col < cols; col++) {
      const value = cells.value(row, col);
      if (Number.isNaN(value) || cells.off?.(row, col)) continue;
      const [red, green, blue] = cells.scale.at(value);
      pixels[line * cols + col] = (255 << 24) | (blue << 16) | (green << 8) | red;
    }
  }
  // Not an element, which takes twice as long to make.
  const small = new OffscreenCanvas(cols, rows);
  small.getContext("2d")?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  const { left, top, cellWidth, cellHeight } = grid;
  context.drawImage(small, left, top, cols * cellWidth, rows * cellHeight);
}

export function paintMarks(
  context: Context,
  grid: Grid,
  axes: Axes,
  rings: Ring[],
  hover: Spot | null,
  theme: Theme,
): void {
  const chosen = rings.filter((ring) => ring.kind === "selected");
  const stressed = [...chosen, ...(hover ? [hover] : [])];
  paintRowLabels(context, grid, axes, stressed.map((spot) => spot.row).filter(isNumber), theme);
  paintColLabels(context, grid, axes, stressed.map((spot) => spot.col).filter(isNumber), theme);

  context.fillStyle = css(theme.accent);
  for (const { row, col } of chosen) {
    if (row !== null) {
      const { y, height } = cellBox(grid, { row, col: 0 });
      context.fillRect(grid.left - 4, y + 1, 2, Math.max(2, height - grid.gap - 2));
    }
    if (col !== null) {
      const { x, width } = cellBox(grid, { row: 0, col });
      const y = axes.colSide === "above" ? grid.top - 4 : bottomOf(grid) + 2;
      context.fillRect(x + 1, y, Math.max(2, width - grid.gap - 2), 2);
    }
  }
  const bothAt = (pin: Ring) => chosen.some(({ row, col }) => row === pin.row && col === pin.col);
  for (const ring of rings) {
    const within = ring.kind === "pinned" && bothAt(ring);
    paintRing(context, grid, ring, within ? "within" : ring.kind, theme);
  }
  if (hover) paintRing(context, grid, hover, "hover", theme);
}

function paintRing(
  context: Context,
  grid: Grid,
  spot: Spot & { cols?: number },
  kind: Ring["kind"] | "hover" | "within",
  theme: Theme,
): void {
  const from = cellBox(grid, {
    row: spot.row ?? (grid.upward ? grid.rows - 1 : 0),
    col: spot.col ?? 0,
  });
  const width = (spot.col === null ? (spot.cols ?? grid.cols) : 1) * grid.cellWidth - grid.gap;
  const height = (spot.row === null ? grid.rows : 1) * grid.cellHeight - grid.gap;
  const line = kind === "hover" ? 1 : 2;
  // A pin that is selected too has its dashes inside the other ring, or about it where there is no room.
  const roomy = Math.min(width, height) >= 12;
  const out =
    kind === "hover" ? 0.5 : kind === "pinned" || kind === "selected" ? 1 : roomy ? -3 : 4;
  context.setLineDash([]);
  if (kind !== "hover") {
    // A rim of the page's colour keeps the ring apart from a cell of a like colour.
    context.lineWidth = 1;
    context.strokeStyle = css(theme.page);
    const rim = 0.5 + (kind === "within" ? 1 - out : 0);
    context.strokeRect(from.x + rim, from.y + rim, width - 2 * rim, height - 2 * rim);
  }
  context.lineWidth = line;
  context.strokeStyle = css(kind === "hover" ? theme.ink : theme.accent);
  if (kind === "pinned" || kind === "within") context.setLineDash([4, 3]);
  context.strokeRect(from.x - out, from.y - out, width + 2 * out, height + 2 * out);
  context.setLineDash([]);
}

function paintRowLabels(
  context: Context,
  grid: Grid,
  axes: Axes,
  stressed: number[],
  theme: Theme,
): void {
  context.font = axes.rowFont;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const row of labelled(grid.rows, grid.cellHeight, 14, stressed)) {
    const { y, height } = cellBox(grid, { row, col: 0 });
    context.fillStyle = css(stressed.includes(row) ? theme.ink : theme.soft);
    const middle = y + (height - grid.gap) / 2 + 0.5;
    context.fillText(axes.rowLabel(row), grid.left - LABEL_GAP, middle);
  }
}

function paintColLabels(
  context: Context,
  grid: Grid,
  axes: Axes,
  stressed: number[],
  theme: Theme,
): void {
  context.font = axes.colFont;
  const turned = axes.colSide === "above";
  const widest = turned ? 13 : widestLabel(context, grid.cols, axes.colLabel) + 6;
  for (const col of labelled(grid.cols, grid.cellWidth, widest, stressed)) {
    const { x, width } = cellBox(grid, { row: 0, col });
    context.fillStyle = css(stressed.includes(col) ? theme.ink : theme.soft);
    const centre = x + (width - grid.gap) / 2;
    const label = axes.colLabel(col);
    if (!turned) {
      context.textAlign = "center";
      context.textBaseline = "top";
      context.fillText(label, centre, bottomOf(grid) + LABEL_GAP, Math.max(width - 2, widest));
      continue;
    }
    context.save();
    context.translate(centre + 2, grid.top - LABEL_GAP);
    context.rotate(TURN);
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(label, 0, 0);
    context.restore();
  }
}

/** The room that labels need around the cells. */
export function labelMargin(context: Context, rows: number, cols: number, axes: Axes) {
  context.font = axes.rowFont;
  const left = Math.ceil(widestLabel(context, rows, axes.rowLabel)) + LABEL_GAP + 4;
  context.font = axes.colFont;
  if (axes.colSide === "below") return { left, right: 4, top: 4, bottom: 24 };
  const widest = widestLabel(context, cols, axes.colLabel);
  const top = Math.ceil(widest * Math.sin(-TURN) + LABEL_GAP + 8);
  return { left, right: Math.ceil(widest * Math.cos(TURN)) + 4, top, bottom: 4 };
}

function widestLabel(context: Context, count: number, label: (i: number) => string): number {
  let widest = 0;
  for (let i = 0; i < count; i++) widest = Math.max(widest, context.measureText(label(i)).width);
  return widest;
}

/** The ticks, with the stressed ones in place of those they would touch. */
function labelled(count: number, cell: number, label: number, stressed: number[]): number[] {
  const kept = stressed.filter((one) => one < count);
  const clear = ticks(count, cell, label).filter((tick) =>
    kept.every((one) => one === tick || Math.abs(one - tick) * cell >= label),
  );
  return [...new Set([...clear, ...kept])];
}

function bottomOf(grid: Grid): number {
  return grid.top + grid.rows * grid.cellHeight;
}

function isNumber(value: number | null): value is number {
  return value !== null;
}
