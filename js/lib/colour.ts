/** Turn values into colours, and choose ink that can be read on them. */

import { type Diverging, divergingStops, positiveName, sequentialStops } from "./palette";
import { contrast, type Rgb, toLinear } from "./rgb";
import type { Theme } from "./theme";

export type Scale = {
  /** The values at the two ends; what lies outside takes the end's colour. */
  low: number;
  high: number;
  /** What the colour at the high end is called in sentences. */
  highName: string;
  at(value: number): Rgb;
};

const STEPS = 256;

/** Signed values about zero, as far as `limit` on both sides. */
export function signedScale(limit: number, theme: Theme, name: Diverging = "RdBu"): Scale {
  const high = limit > 0 ? limit : 1;
  const stops = divergingStops(name, theme.dark, theme.page);
  return { low: -high, high, highName: positiveName(name), at: lookUp(stops, -high, high) };
}

/** Values from zero to `high`, darker (on a dark page lighter) meaning more. */
export function sequentialScale(high: number, theme: Theme): Scale {
  const stops = sequentialStops(theme.dark, theme.page);
  const top = high > 0 ? high : 1;
  return { low: 0, high: top, highName: theme.dark ? "Light" : "Dark", at: lookUp(stops, 0, top) };
}

/** Return the largest size among finite values. */
export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (size > most && size !== Number.POSITIVE_INFINITY) most = size;
  }
  return most;
}

/** The theme's ink where it reads well on `ground`, else its page colour, else black or white. */
export function inkOn(ground: Rgb, theme: Theme): Rgb {
  for (const ink of [theme.ink, theme.page]) if (contrast(ink, ground) >= 4.5) return ink;
  const black: Rgb = [0, 0, 0];
  const white: Rgb = [255, 255, 255];
  return contrast(black, ground) >= contrast(white, ground) ? black : white;
}

function lookUp(stops: Rgb[], low: number, high: number): (value: number) => Rgb {
  const points = stops.map(toOklab);
  const table = Array.from({ length: STEPS + 1 }, (_, i) => {
    const at = (i / STEPS) * (points.length - 1);
    const from = Math.min(points.length - 2, Math.floor(at));
    return fromOklab(mix(points[from]!, points[from + 1]!, at - from));
  });
  return (value) => {
    const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
    return table[Math.round(share * STEPS)]!;
  };
}

function mix(a: Rgb, b: Rgb, share: number): Rgb {
  return a.map((x, i) => x + (b[i]! - x) * share) as Rgb;
}

function toByte(linear: number): number {
  const x = linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, x)));
}

/** Colours are mixed in Oklab, where equal steps look equal (Ottosson 2020). */
function toOklab(colour: Rgb): Rgb {
  const [r, g, b] = colour.map(toLinear) as Rgb;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]: Rgb): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    toByte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    toByte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    toByte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
