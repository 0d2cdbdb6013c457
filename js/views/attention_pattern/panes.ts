/** A square window on a map that is too large to be shown with its tokens at once. */

export type Pane = {
  /** The first query and the first key that it shows. */
  row: number;
  col: number;
  /** How many tokens it shows either way. */
  side: number;
};

/** Maps of up to so many tokens are shown whole. */
export const MOST_WHOLE = 128;

export const SIDES = [24, 48, 96];

/** The pane of a size about a cell, inside the map. */
export function paneAt(query: number, key: number, size: number, length: number): Pane {
  const side = Math.min(size, length);
  const inside = (middle: number) =>
    Math.max(0, Math.min(length - side, Math.round(middle - side / 2)));
  return { row: inside(query), col: inside(key), side };
}

export function holds({ row, col, side }: Pane, query: number, key: number | null): boolean {
  const inRow = query >= row && query < row + side;
  return inRow && (key === null || (key >= col && key < col + side));
}

/** The pane after an arrow key, half of itself on; null for another key. */
export function paneAfter(pane: Pane, pressed: string, length: number): Pane | null {
  const steps: Record<string, [rows: number, cols: number]> = {
    ArrowUp: [-0.5, 0],
    ArrowDown: [0.5, 0],
    ArrowLeft: [0, -0.5],
    ArrowRight: [0, 0.5],
  };
  const step = steps[pressed];
  if (!step) return null;
  const { row, col, side } = pane;
  return paneAt(row + side / 2 + step[0] * side, col + side / 2 + step[1] * side, side, length);
}
