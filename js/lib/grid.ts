/** The geometry of a map: where its cells and labels are, what is under a point, where keys lead. */

export type Cell = { row: number; col: number };

export type Grid = {
  rows: number;
  cols: number;
  /** Whether row 0 is at the bottom, as layers are. */
  upward: boolean;
  /** Where the cells begin, in CSS pixels, a whole number of device pixels. */
  left: number;
  top: number;
  cellWidth: number;
  cellHeight: number;
  /** The room between cells; none where cells are small. */
  gap: number;
  width: number;
  height: number;
};

export type GridRequest = {
  rows: number;
  cols: number;
  upward: boolean;
  /** Room for labels around the cells. */
  margin: { left: number; right: number; top: number; bottom: number };
  available: number;
  /** The height that square cells may take together. */
  tallest: number;
  /** The least and the most a cell may measure. */
  size: [least: number, most: number];
  /** Cells of a fixed height, as rows of text have; else they are square. */
  rowHeight?: number | undefined;
  ratio: number;
};

const LEAST_WITH_GAP = 8;

export function layOut(request: GridRequest): Grid {
  const { rows, cols, upward, margin, available, tallest, size, rowHeight, ratio } = request;
  const whole = (length: number) => Math.max(1, Math.floor(length * ratio)) / ratio;
  const room = available - margin.left - margin.right;
  const fits = Math.min(room / Math.max(1, cols), rowHeight ? room : tallest / Math.max(1, rows));
  const cellWidth = whole(Math.min(size[1], Math.max(size[0], fits)));
  const cellHeight = rowHeight ? whole(rowHeight) : cellWidth;
  const left = whole(margin.left);
  const top = whole(margin.top);
  return {
    rows,
    cols,
    upward,
    left,
    top,
    cellWidth,
    cellHeight,
    gap: Math.min(cellWidth, cellHeight) < LEAST_WITH_GAP ? 0 : 1,
    width: Math.ceil(left + cols * cellWidth + margin.right),
    height: Math.ceil(top + rows * cellHeight + margin.bottom),
  };
}

/** The rectangle of a cell, its gap included. */
export function cellBox(grid: Grid, { row, col }: Cell) {
  const line = grid.upward ? grid.rows - 1 - row : row;
  return {
    x: grid.left + col * grid.cellWidth,
    y: grid.top + line * grid.cellHeight,
    width: grid.cellWidth,
    height: grid.cellHeight,
  };
}

export type Spot = { row: number | null; col: number | null };

/** How far labels above a map lean over, in radians. */
export const TURN = -Math.PI / 3;

/** What is under a point: a cell, a row's label (no col), a column's label (no row), or nothing. */
export function spotAt(grid: Grid, x: number, y: number, colSide = "below"): Spot | null {
  const above = colSide === "above" ? Math.max(0, grid.top - y) : 0;
  const foot = x + above / Math.tan(TURN);
  const across = Math.floor((foot - grid.left) / grid.cellWidth);
  const down = Math.floor((y - grid.top) / grid.cellHeight);
  const col = across >= 0 && across < grid.cols ? across : null;
  const line = down >= 0 && down < grid.rows ? down : null;
  if (line === null && col === null) return null;
  if (col === null && across >= grid.cols) return null;
  return { row: line === null ? null : grid.upward ? grid.rows - 1 - line : line, col };
}

/** Where a tooltip about a spot stands, so that it does not hide the cells that it is about. */
export function besideSpot(grid: Grid, { row, col }: Spot) {
  const box = cellBox(grid, { row: row ?? 0, col: col ?? 0 });
  if (row === null) return { ...box, y: grid.top };
  return col === null ? { ...box, y: box.y + box.height + 4, width: 0 } : box;
}

/** Which labels are drawn so that none overlap: always the first and the last. */
export function ticks(count: number, cell: number, label: number): number[] {
  if (count <= 0) return [];
  const every = Math.max(1, Math.ceil(label / cell));
  const steps = [1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 500];
  const step = steps.find((one) => one >= every) ?? every;
  const last = count - 1;
  const kept = Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
  // The last one stands, and takes the place of a neighbour it would touch.
  const clear = kept.filter((tick) => tick === 0 || last - tick >= every || tick === last);
  return clear.includes(last) ? clear : last > 0 ? [...clear, last] : clear;
}

/**
 * Where a key leads from `at`, or null when the key means nothing to a map. With `onLabels` an arrow
 * leads on to a row's label at the left (no col) and to a column's label above (no row).
 */
export function move(
  grid: Pick<Grid, "rows" | "cols" | "upward">,
  at: Spot,
  key: string,
  control: boolean,
  onLabels = false,
): Spot | null {
  const from = { row: at.row ?? -1, col: at.col ?? -1 };
  const up = grid.upward ? 1 : -1;
  const lastRow = grid.rows - 1;
  const lastCol = grid.cols - 1;
  const topRow = grid.upward ? lastRow : 0;
  const targets: Record<string, Cell> = {
    ArrowLeft: { row: from.row, col: from.col - 1 },
    ArrowRight: { row: from.row, col: from.col + 1 },
    ArrowUp: { row: from.row + up, col: from.col },
    ArrowDown: { row: from.row - up, col: from.col },
    PageUp: { row: from.row + 5 * up, col: from.col },
    PageDown: { row: from.row - 5 * up, col: from.col },
    Home: { row: control ? topRow : from.row, col: 0 },
    End: { row: control ? lastRow - topRow : from.row, col: lastCol },
  };
  const to = targets[key];
  if (!to) return null;
  const step = onLabels && key.startsWith("Arrow");
  const clamp = (value: number, last: number, isLabel: boolean, isOther: boolean) => {
    const least = !isOther && (isLabel || step) ? -1 : 0;
    const next = Math.min(last, Math.max(least, value));
    return next < 0 ? null : next;
  };
  const onRow = at.col === null;
  const onCol = at.row === null;
  return { row: clamp(to.row, lastRow, onCol, onRow), col: clamp(to.col, lastCol, onRow, onCol) };
}
