/** The indices that have a number, those that stand next to each other together. */
export function unbroken(values: ArrayLike<number>): number[][] {
  const runs: number[][] = [];
  Array.from(values).forEach((value, i, all) => {
    if (Number.isNaN(value)) return;
    if (i === 0 || Number.isNaN(all[i - 1])) runs.push([]);
    runs.at(-1)!.push(i);
  });
  return runs;
}
