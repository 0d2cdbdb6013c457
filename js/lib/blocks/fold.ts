/** A map of more cells than there is room for: each that is drawn is the largest of those under it. */

import { indexOf, type Shown } from "../quantity";

/** A cell's least side, and the height that all cells of a map may take. */
const [LEAST, TALLEST] = [2, 420];

export type Folded = {
  rows: number;
  cols: number;
  /** How many rows and columns stand under one that is drawn. */
  by: [down: number, across: number];
  /** The cell that is drawn at a place: of those under it the largest, of either sign. */
  at(row: number, col: number): number[];
};

export function fold(shown: Pick<Shown, "sizes" | "stride" | "values">, room: number): Folded {
  const [down = 1, across = 1] = shown.sizes;
  const steps = (count: number, most: number) => Math.max(1, Math.ceil((count * LEAST) / most));
  const by: Folded["by"] = [steps(down, TALLEST), steps(across, room)];
  const [rows, cols] = [Math.ceil(down / by[0]), Math.ceil(across / by[1])];
  const at = (row: number, col: number) => {
    const first = [row * by[0], col * by[1]];
    let [best, most] = [first, -1];
    for (let i = first[0]!; i < Math.min(down, first[0]! + by[0]); i++) {
      for (let j = first[1]!; j < Math.min(across, first[1]! + by[1]); j++) {
        const size = Math.abs(shown.values[indexOf(shown, [i, j])]!);
        if (size > most) [best, most] = [[i, j], size];
      }
    }
    return best;
  };
  return { rows, cols, by, at };
}
