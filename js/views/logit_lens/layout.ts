/** The geometry of the lens's grid: columns as wide as their tokens, a window that scrolls over them. */

import type { Cell, Spot } from "../../lib/grid";
import type { Anchor } from "../../lib/tooltip";

export type Layout = {
  depths: number;
  /** Where each column begins, and at the end where the last one ends; the first begins at 0. */
  edges: number[];
  rowHeight: number;
  /** The room for the depths' names, which stays while the columns scroll. */
  gutter: number;
  top: number;
  /** What is seen at once, the gutter included. */
  width: number;
  height: number;
  /** The width of everything, the gutter included. */
  full: number;
};

export type LayoutRequest = {
  depths: number;
  /** How wide each column's widest text is. */
  texts: number[];
  gutter: number;
  available: number;
};

const TOP = 4;
const RIGHT = 3;
const AXIS = 26;
const AROUND_TEXT = 10;
const NARROWEST = 34;
const EVEN = 64;
const WIDEST = 128;
const TALL = 460;

export function layOut({ depths, texts, gutter, available }: LayoutRequest): Layout {
  return placed(depths, columnWidths(texts, available - gutter - RIGHT), gutter, available);
}

/** The same with columns of one width, whatever stands in them. */
export function layOutEven({
  depths,
  positions,
  gutter,
  available,
}: Omit<LayoutRequest, "texts"> & { positions: number }): Layout {
  return placed(depths, new Array(positions).fill(EVEN), gutter, available);
}

function placed(depths: number, widths: number[], gutter: number, available: number): Layout {
  const edges = [0];
  for (const width of widths) edges.push(edges.at(-1)! + width);
  const full = gutter + edges.at(-1)! + RIGHT;
  const rowHeight = rowHeightOf(depths);
  return {
    depths,
    edges,
    rowHeight,
    gutter,
    top: TOP,
    width: Math.min(full, Math.max(gutter + NARROWEST, available)),
    height: TOP + depths * rowHeight + AXIS,
    full,
  };
}

/** Rows are lower where there are many, and never too low for text. */
export function rowHeightOf(depths: number): number {
  return Math.min(22, Math.max(15, Math.floor(TALL / Math.max(1, depths))));
}

/** As even as the room allows, each at least as wide as its text. */
export function columnWidths(texts: number[], room: number): number[] {
  const needed = texts.map((text) => Math.min(WIDEST, Math.ceil(text) + AROUND_TEXT));
  const filled = (even: number) => needed.map((width) => Math.max(even, width));
  const total = (widths: number[]) => widths.reduce((sum, width) => sum + width, 0);
  for (let even = EVEN; even > NARROWEST; even--) {
    const widths = filled(even);
    if (total(widths) <= room) return widths;
  }
  return filled(NARROWEST);
}

/** The rectangle of a cell as it is seen when the columns are scrolled by `scroll`. */
export function boxOf(layout: Layout, scroll: number, { row, col }: Cell): Anchor {
  const { edges, rowHeight, gutter, top, depths } = layout;
  return {
    x: gutter + edges[col]! - scroll,
    y: top + (depths - 1 - row) * rowHeight,
    width: edges[col + 1]! - edges[col]!,
    height: rowHeight,
  };
}

/** What is under a point: a cell, a depth's name (no col), a token of the axis (no row), or nothing. */
export function spotAt(layout: Layout, scroll: number, x: number, y: number): Spot | null {
  const line = Math.floor((y - layout.top) / layout.rowHeight);
  const row = line >= 0 && line < layout.depths ? layout.depths - 1 - line : null;
  const col = x < layout.gutter ? null : columnAt(layout.edges, x - layout.gutter + scroll);
  if (x >= layout.gutter && col === null) return null;
  return row === null && col === null ? null : { row, col };
}

/** The first and the last column that can be seen. */
export function seenColumns({ edges, width, gutter }: Layout, scroll: number): [number, number] {
  const last = edges.length - 2;
  const to = columnAt(edges, scroll + width - gutter) ?? last;
  return [columnAt(edges, scroll) ?? last, to];
}

/** How far to scroll so that a column can be seen; as now when it can. */
export function scrollTo(layout: Layout, scroll: number, col: number): number {
  const [from, to] = [layout.edges[col] ?? 0, layout.edges[col + 1] ?? 0];
  const room = layout.width - layout.gutter - RIGHT;
  return from < scroll ? from : to > scroll + room ? to - room : scroll;
}

function columnAt(edges: number[], x: number): number | null {
  if (x < 0 || x >= edges.at(-1)!) return null;
  let [low, high] = [0, edges.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (edges[middle]! <= x) low = middle;
    else high = middle;
  }
  return low;
}
