/** Paint the part of the grid that can be seen: cells on one layer, names, rings and the axis above. */

import { inkOn, type Scale } from "../../lib/colour";
import type { Spot } from "../../lib/grid";
import { css } from "../../lib/rgb";
import type { Theme } from "../../lib/theme";
import { boxOf, type Layout, seenColumns } from "./layout";

type Context = CanvasRenderingContext2D;

export type CellWords = {
  /** NaN where there is no such cell. */
  probability(depth: number, position: number): number;
  text(depth: number, position: number): string;
};

export type AxisWords = {
  depth(depth: number): string;
  position(position: number): string;
  /** Where the target is read. */
  targetPosition: number;
};

export type Window = {
  layout: Layout;
  scroll: number;
  theme: Theme;
  ratio: number;
};

const GAP = 1;
const PADDING = 4;
const NAME_GAP = 8;

export function cellFont(theme: Theme): string {
  return `11px ${theme.codeFont}`;
}

export function paintCells(context: Context, window: Window, cells: CellWords, scale: Scale): void {
  const { layout, scroll, theme, ratio } = window;
  clipColumns(context, layout, 0);
  context.font = cellFont(theme);
  context.textAlign = "center";
  context.textBaseline = "middle";
  // A token may be of a script that is written from the right, and still stands in its cell.
  context.direction = "ltr";
  const shorten = shortener(context);
  const snap = (x: number) => Math.round(x * ratio) / ratio;
  const [from, to] = seenColumns(layout, scroll);
  for (let depth = 0; depth < layout.depths; depth++) {
    for (let position = from; position <= to; position++) {
      const probability = cells.probability(depth, position);
      if (Number.isNaN(probability)) continue;
      const box = boxOf(layout, scroll, { row: depth, col: position });
      const [left, right] = [snap(box.x), snap(box.x + box.width) - GAP];
      const ground = scale.at(probability);
      context.fillStyle = css(ground);
      context.fillRect(left, box.y, right - left, box.height - GAP);
      context.fillStyle = css(inkOn(ground, theme));
      const text = shorten(cells.text(depth, position), right - left - PADDING);
      context.fillText(text, (left + right) / 2, box.y + (box.height - GAP) / 2 + 0.5);
    }
  }
}

export function paintMarks(
  context: Context,
  window: Window,
  words: AxisWords,
  chosen: Spot,
  pointed: Spot | null,
): void {
  const { layout, scroll, theme } = window;
  paintDepths(context, layout, words, chosen.row, theme);
  paintPositions(context, window, words, chosen.col);
  context.save();
  clipColumns(context, layout, 2);
  context.strokeStyle = css(theme.accent);
  if (chosen.row !== null) {
    const { y, height } = boxOf(layout, 0, { row: chosen.row, col: 0 });
    const left = Math.max(layout.gutter, layout.gutter - scroll) - Math.min(scroll, 4);
    const right = layout.gutter + layout.edges.at(-1)! - scroll;
    context.lineWidth = 2;
    context.strokeRect(left, y - 0.5, right - left - GAP, height);
  }
  if (chosen.row !== null && chosen.col !== null) {
    const box = boxOf(layout, scroll, { row: chosen.row, col: chosen.col });
    context.lineWidth = 1;
    context.strokeStyle = css(theme.page);
    context.strokeRect(box.x + 1.5, box.y + 1.5, box.width - GAP - 3, box.height - GAP - 3);
    context.lineWidth = 3;
    context.strokeStyle = css(theme.accent);
    context.strokeRect(box.x - 0.5, box.y - 0.5, box.width, box.height);
  }
  if (pointed && pointed.row !== null && pointed.col !== null) {
    const box = boxOf(layout, scroll, { row: pointed.row, col: pointed.col });
    context.lineWidth = 1;
    context.strokeStyle = css(theme.ink);
    context.strokeRect(box.x - 0.5, box.y - 0.5, box.width, box.height);
  }
  context.restore();
}

function paintDepths(
  context: Context,
  layout: Layout,
  words: AxisWords,
  chosen: number | null,
  theme: Theme,
): void {
  context.font = `11px ${theme.uiFont}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let depth = 0; depth < layout.depths; depth++) {
    const { y, height } = boxOf(layout, 0, { row: depth, col: 0 });
    context.fillStyle = css(depth === chosen ? theme.ink : theme.soft);
    context.fillText(words.depth(depth), layout.gutter - NAME_GAP, y + height / 2);
  }
}

function paintPositions(
  context: Context,
  { layout, scroll, theme }: Window,
  words: AxisWords,
  chosen: number | null,
): void {
  context.save();
  clipColumns(context, layout, 0);
  context.font = cellFont(theme);
  context.textAlign = "center";
  context.textBaseline = "top";
  context.direction = "ltr";
  const shorten = shortener(context);
  const y = layout.top + layout.depths * layout.rowHeight + 8;
  const [from, to] = seenColumns(layout, scroll);
  for (let position = from; position <= to; position++) {
    const { x, width } = boxOf(layout, scroll, { row: 0, col: position });
    const stressed = position === chosen || position === words.targetPosition;
    context.fillStyle = css(stressed ? theme.ink : theme.soft);
    const text = shorten(words.position(position), width - GAP - 2);
    context.fillText(text, x + (width - GAP) / 2, y);
    context.fillStyle = css(theme.accent);
    if (position === chosen) context.fillRect(x + 1, y - 6, width - GAP - 2, 2);
    if (position === words.targetPosition) {
      const half = context.measureText(text).width / 2;
      paintFlag(context, x + (width - GAP) / 2 + half + 1, y - 2);
    }
  }
  context.restore();
}

/** Drawn, since not every font has ⚑. */
function paintFlag(context: Context, x: number, y: number): void {
  context.fillRect(x, y, 1, 8);
  context.beginPath();
  context.moveTo(x + 1, y);
  context.lineTo(x + 6, y + 2);
  context.lineTo(x + 1, y + 4);
  context.fill();
}

/** Keep to the columns: what scrolls must not run over the depths' names. */
function clipColumns(context: Context, layout: Layout, over: number): void {
  context.beginPath();
  context.rect(layout.gutter - over, 0, layout.width - layout.gutter + over, layout.height);
  context.clip();
}

/** Measure texts, each distinct one once. */
export function measurer(context: Pick<Context, "measureText">): (text: string) => number {
  const widths = new Map<string, number>();
  return (text) => {
    const width = widths.get(text) ?? context.measureText(text).width;
    widths.set(text, width);
    return width;
  };
}

/** Cut texts that are wider than their room, which most are not. */
function shortener(context: Context): (text: string, room: number) => string {
  const measure = measurer(context);
  return (text, room) => {
    if (measure(text) <= room) return text;
    const characters = [...text];
    while (characters.length > 1 && measure(`${characters.join("")}…`) > room) characters.pop();
    return `${characters.join("")}…`;
  };
}
