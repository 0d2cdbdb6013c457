/** The colours of the data: the one file with colours written out. */

import { parseHex, type Rgb } from "./rgb";

export type Diverging = "RdBu" | "PuOr";

/** ColorBrewer's nine classes, turned so that positive comes last. */
const CLASSES: Record<Diverging, string> = {
  RdBu: "b2182b d6604d f4a582 fddbc7 f7f7f7 d1e5f0 92c5de 4393c3 2166ac",
  PuOr: "b35806 e08214 fdb863 fee0b6 f7f7f7 d8daeb b2abd2 8073ac 542788",
};

/** On a dark page lighter means more, so the poles are light and zero is the page itself. */
const DARK_POLES: Record<Diverging, [negative: string[], positive: string[]]> = {
  RdBu: [
    ["ff8f80", "b25a44"],
    ["2f6dae", "86bfff"],
  ],
  PuOr: [
    ["ffb057", "a8651a"],
    ["6a57b0", "c0b0ff"],
  ],
};

export const POSITIVE_NAME: Record<Diverging, string> = { RdBu: "Blue", PuOr: "Purple" };

export function divergingStops(name: Diverging, dark: boolean, page: Rgb): Rgb[] {
  if (!dark) return CLASSES[name].split(" ").map(parseHex);
  const [negative, positive] = DARK_POLES[name];
  return [...negative.map(parseHex), page, ...positive.map(parseHex)];
}

export function sequentialStops(dark: boolean, page: Rgb): Rgb[] {
  if (dark) return [mixPage(page), ...["4683c5", "cae1f8"].map(parseHex)];
  return ["f7f7f5", "7399bf", "084081"].map(parseHex);
}

/** A shade off the page, so that a zero is not taken for a missing cell. */
function mixPage([r, g, b]: Rgb): Rgb {
  return [r + 7, g + 8, b + 10];
}
