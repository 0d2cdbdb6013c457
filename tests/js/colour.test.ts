import { schemePuOr, schemeRdBu } from "d3-scale-chromatic";
import { describe, expect, test } from "vitest";
import { inkOn, sequentialScale, signedScale } from "../../js/lib/colour";
import { divergingStops } from "../../js/lib/palette";
import { contrast, css, parseHex } from "../../js/lib/rgb";
import type { Theme } from "../../js/lib/theme";

const fonts = { uiFont: "sans-serif", codeFont: "monospace" };
const grey = { soft: parseHex("5f6874"), hair: parseHex("e4e7eb"), accent: parseHex("1f6feb") };
const LIGHT: Theme = {
  dark: false,
  page: parseHex("ffffff"),
  ink: parseHex("1b1f24"),
  ...grey,
  ...fonts,
};
const DARK: Theme = {
  dark: true,
  page: parseHex("111418"),
  ink: parseHex("e6e9ee"),
  ...grey,
  ...fonts,
};

describe.each([
  ["light", LIGHT],
  ["dark", DARK],
])("in the %s theme", (_, theme) => {
  const scales = {
    RdBu: signedScale(3, theme, "RdBu"),
    PuOr: signedScale(3, theme, "PuOr"),
    sequential: sequentialScale(3, theme),
  };

  test.each(Object.entries(scales))("every label on %s can be read", (_, scale) => {
    for (let i = 0; i <= 200; i++) {
      const ground = scale.at(scale.low + ((scale.high - scale.low) * i) / 200);
      expect(contrast(inkOn(ground, theme), ground)).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("positive is blue, negative red", () => {
    const [red, , blue] = scales.RdBu.at(2);
    expect(blue).toBeGreaterThan(red);
    const [otherRed, , otherBlue] = scales.RdBu.at(-2);
    expect(otherRed).toBeGreaterThan(otherBlue);
  });

  test("more is further from the page", () => {
    for (const scale of Object.values(scales)) {
      const steps = [0, 0.5, 1, 1.5, 2, 2.5, 3].map((v) => contrast(scale.at(v), theme.page));
      expect(steps).toEqual([...steps].sort((a, b) => a - b));
    }
  });
});

test("on a dark page zero is the page", () => {
  expect(css(signedScale(3, DARK).at(0))).toBe("rgb(17 20 24)");
});

test("the light palettes are ColorBrewer's", () => {
  const hex = (scheme: readonly string[]) => scheme.map((colour) => parseHex(colour.slice(1)));
  const turned = hex(schemePuOr[9]!);
  expect(divergingStops("RdBu", false, LIGHT.page)).toEqual(hex(schemeRdBu[9]!));
  expect([turned, [...turned].reverse()]).toContainEqual(divergingStops("PuOr", false, LIGHT.page));
});
