/** The colours of the data, from the file that the still pictures read too. */

import palette from "../../src/residscope/data/palette.json";
import { parseHex, type Rgb } from "./rgb";

export type Diverging = keyof typeof palette.signed;

/** An MLP's share of the full colour, which tells it from attention where bars have no names. */
export const MLP_SHADE = palette.mlp_shade;

/** What a palette's positive end is called in sentences. */
export function positiveName(name: Diverging): string {
  return palette.signed[name].positive;
}

/** ColorBrewer's nine classes, turned so that positive comes last. */
export function divergingStops(name: Diverging, dark: boolean, page: Rgb): Rgb[] {
  const stops = palette.signed[name];
  if (!dark) return stops.light.map(parseHex);
  // On a dark page lighter means more, so the poles are light and zero is the page itself.
  const [negative = [], positive = []] = stops.dark;
  return [...negative.map(parseHex), page, ...positive.map(parseHex)];
}

export function sequentialStops(dark: boolean, page: Rgb): Rgb[] {
  const { light, dark: poles } = palette.sequential;
  return dark ? [mixPage(page), ...poles.map(parseHex)] : light.map(parseHex);
}

/** A shade off the page, so that a zero is not taken for a missing cell. */
function mixPage([r, g, b]: Rgb): Rgb {
  return [r + 7, g + 8, b + 10];
}
