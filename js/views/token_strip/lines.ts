/** Break tokens into lines by ourselves, so that of a long prompt only the lines in sight are drawn. */

export type Line = { row: number; from: number; to: number };

/** Prompts of more tokens than this together are drawn line by line. */
export const MOST_FLOWING = 400;

export const LINE_HEIGHT = 26;

/** The padding of what scrolls. */
const ABOVE = 10;
const BELOW = 4;

/** Break one row's tokens where they no longer fit, and after those that end a line. */
export function breakLines(
  row: number,
  widths: number[],
  ends: (position: number) => boolean,
  room: number,
): Line[] {
  const lines: Line[] = [];
  let from = 0;
  let used = 0;
  for (const [position, width] of widths.entries()) {
    if (position > from && used + width > room) {
      lines.push({ row, from, to: position });
      [from, used] = [position, 0];
    }
    used += width;
    if (!ends(position)) continue;
    lines.push({ row, from, to: position + 1 });
    [from, used] = [position + 1, 0];
  }
  if (from < widths.length) lines.push({ row, from, to: widths.length });
  return lines;
}

/** The first line that is in sight, and one more than the last, with a few around them. */
export function linesInSight(count: number, scroll: number, height: number): [number, number] {
  const around = 4;
  const first = Math.floor(scroll / LINE_HEIGHT) - around;
  const last = Math.ceil((scroll + height) / LINE_HEIGHT) + around;
  return [Math.max(0, first), Math.min(count, last)];
}

/** How far to scroll so that a line can be seen; as now when it can. */
export function scrollToLine(line: number, scroll: number, height: number): number {
  const top = line * LINE_HEIGHT;
  if (top < scroll) return top;
  const bottom = ABOVE + top + LINE_HEIGHT + BELOW;
  return bottom > scroll + height ? bottom - height : scroll;
}
