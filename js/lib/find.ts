/** Find a text in a row of tokens, across the tokens' edges. */

/** The position of the token in which each occurrence begins, upper and lower case alike. */
export function findIn(texts: string[], wanted: string): number[] {
  const needle = wanted.toLowerCase();
  if (!needle) return [];
  const starts: number[] = [];
  let whole = "";
  for (const text of texts) {
    starts.push(whole.length);
    whole += text.toLowerCase();
  }
  const found: number[] = [];
  let token = 0;
  for (let at = whole.indexOf(needle); at >= 0; at = whole.indexOf(needle, at + 1)) {
    while (token + 1 < starts.length && starts[token + 1]! <= at) token++;
    if (found.at(-1) !== token) found.push(token);
  }
  return found;
}

/** The occurrence after a position, or before it, and round from the end to the beginning. */
export function nextOf(found: number[], position: number, back: boolean): number | null {
  if (back) return found.findLast((at) => at < position) ?? found.at(-1) ?? null;
  return found.find((at) => at > position) ?? found[0] ?? null;
}
