/** Where keys lead among rows of tokens, each with its number before it. */

/** A token, or with no position the number of its row. */
export type Spot = { row: number; position: number | null };

/** Where a key leads from `at`, or null when it means nothing here. */
export function moveIn(lengths: number[], at: Spot, key: string): Spot | null {
  const least = lengths.length > 1 ? -1 : 0;
  const from = at.position ?? -1;
  const moves: Record<string, [rows: number, to: number]> = {
    ArrowLeft: [0, from - 1],
    ArrowRight: [0, from + 1],
    ArrowUp: [-1, from],
    ArrowDown: [1, from],
    Home: [0, 0],
    End: [0, Number.POSITIVE_INFINITY],
  };
  const move = moves[key];
  if (!move) return null;
  const row = Math.min(lengths.length - 1, Math.max(0, at.row + move[0]));
  const position = Math.min((lengths[row] ?? 1) - 1, Math.max(least, move[1]));
  return { row, position: position < 0 ? null : position };
}
