import {
  type Rgb as Colour,
  differenceCiede2000,
  filterDeficiencyDeuter,
  filterDeficiencyProt,
  filterDeficiencyTrit,
} from "culori";
import { describe, expect, test } from "vitest";
import { type Scale, sequentialScale, signedScale } from "../../js/lib/colour";
import { parseHex, type Rgb } from "../../js/lib/rgb";
import type { Theme } from "../../js/lib/theme";

const VISION: Record<string, (colour: Colour) => Colour> = {
  normal: (colour) => colour,
  protan: filterDeficiencyProt(1),
  deutan: filterDeficiencyDeuter(1),
  tritan: filterDeficiencyTrit(1),
};
const STOPS = 11;
const NEIGHBOURS_APART = 5;
const SIGNS_APART = 12;

/** The pages of JupyterLab, VS Code, Colab, GitHub and of black screens. */
const PAGES = {
  light: ["ffffff", "fafafa", "f8f8f8"],
  dark: ["111111", "111418", "1e1e1e", "1f1f1f", "383838", "0d1117", "000000"],
};

const distance = differenceCiede2000();

function themeOn(page: string, dark: boolean): Theme {
  return { dark, page: parseHex(page), ink: parseHex(dark ? "e6e9ee" : "1b1f24") } as Theme;
}

function stopsOf({ low, high, at }: Scale): Rgb[] {
  return Array.from({ length: STOPS }, (_, i) => at(low + ((high - low) * i) / (STOPS - 1)));
}

/** The least distance between two stops, over the kinds of vision, of each pair that `pairs` names. */
function worst(scale: Scale, pairs: [a: number, b: number][]): number {
  const colours = stopsOf(scale).map(([r, g, b]): Colour => {
    return { mode: "rgb", r: r / 255, g: g / 255, b: b / 255 };
  });
  const distances = Object.values(VISION).flatMap((seen) =>
    pairs.map(([a, b]) => distance(seen(colours[a]!), seen(colours[b]!))),
  );
  return Math.min(...distances);
}

const NEIGHBOURS = Array.from({ length: STOPS - 1 }, (_, i): [number, number] => [i, i + 1]);
const MIRRORED = Array.from({ length: (STOPS - 1) / 2 }, (_, i): [number, number] => [
  i,
  STOPS - 1 - i,
]);

const CASES = Object.entries(PAGES).flatMap(([kind, pages]) =>
  pages.map((page) => ({ kind, page, theme: themeOn(page, kind === "dark") })),
);

describe.each(CASES)("on a $kind page #$page, to all kinds of vision,", ({ theme }) => {
  test.each(["RdBu", "PuOr"] as const)("%s tells steps and signs apart", (name) => {
    const scale = signedScale(1, theme, name);
    expect(worst(scale, NEIGHBOURS)).toBeGreaterThanOrEqual(NEIGHBOURS_APART);
    expect(worst(scale, MIRRORED)).toBeGreaterThanOrEqual(SIGNS_APART);
  });

  test("the sequential scale tells steps apart", () => {
    expect(worst(sequentialScale(1, theme), NEIGHBOURS)).toBeGreaterThanOrEqual(NEIGHBOURS_APART);
  });
});
