import { describe, expect, test } from "vitest";
import { axisOf, layOut, numbered, thickness } from "../../js/lib/blocks/bar-layout";
import { aboutOf, sums } from "../../js/lib/components";

const NAMES = ["embed", "pos_embed", "L0.attn", "L0.attn_bias", "L0.mlp", "L1.mixer", "L1.mlp"];
const ALL = [...NAMES, "norm_bias", "unembed_bias", "entropy", "soft_cap"];

function deep(layers: number, bias: boolean): string[] {
  const parts = bias ? ["attn", "attn_bias", "mlp"] : ["attn", "mlp"];
  const inLayers = Array.from({ length: layers }, (_, i) => parts.map((part) => `L${i}.${part}`));
  return ["embed", ...inLayers.flat(), "unembed_bias"];
}

describe("the layout", () => {
  test("stacks the parts upwards in the order they were sent, none left out", () => {
    const lines = layOut([...ALL, "L7.new", "other"]).bands.flatMap((band) => band.lines);
    expect(lines.map((line) => line.name)).toEqual([...ALL, "L7.new", "other"]);
    for (const [i, line] of lines.slice(1).entries()) {
      expect(line.y + line.height).toBeLessThanOrEqual(lines[i]!.y);
    }
  });

  test("keeps a layer's parts together and the others by themselves", () => {
    expect(layOut(ALL).bands.map(({ layer, lines }) => [layer, lines.length])).toEqual([
      [null, 1],
      [null, 1],
      [0, 3],
      [1, 2],
      [null, 1],
      [null, 1],
      [null, 1],
      [null, 1],
    ]);
  });

  test("is comfortable for few layers, compact for many, and never taller than a view may be", () => {
    expect(layOut(deep(4, false))).toMatchObject({ bar: 10, named: true });
    expect(layOut(deep(12, true))).toMatchObject({ named: true });
    expect(layOut(deep(48, false))).toMatchObject({ bar: 5, named: false });
    for (const layers of [1, 4, 12, 24, 32, 48, 80]) {
      for (const bias of [false, true]) {
        expect(layOut(deep(layers, bias)).bottom).toBeLessThanOrEqual(640);
      }
    }
  });

  test("draws what attention always adds as a thin bar", () => {
    expect([thickness("attn", 10), thickness("attn_bias", 10)]).toEqual([10, 5]);
    expect(thickness("attn_bias", 5)).toBe(3);
  });
});

describe("numbers beside the bars", () => {
  test("are all there where there is room", () => {
    const names = deep(4, true);
    const values = names.map((_, i) => Math.sin(i));
    expect(numbered(layOut(names), values, []).size).toBe(names.length);
  });

  test("are those of the largest where there is none, with the named and the pinned ones", () => {
    const names = deep(48, false);
    const values = names.map((name) => (name === "L20.mlp" ? -4 : name === "L9.attn" ? 2 : 0.1));
    const shown = numbered(layOut(names), values, ["L30.attn"]);
    const kept = [...shown].map((index) => names[index]).sort();
    expect(kept).toEqual(["L20.mlp", "L30.attn", "L9.attn", "embed", "unembed_bias"].sort());
  });

  test("never touch", () => {
    const names = deep(48, true);
    const layout = layOut(names);
    const lines = layout.bands.flatMap((band) => band.lines);
    const shown = [...numbered(layout, Array(names.length).fill(1), ["L3.attn", "L3.mlp"])];
    const middles = shown.map((index) => lines[index]!.y + lines[index]!.height / 2);
    middles.sort((a, b) => a - b);
    for (let i = 1; i < middles.length; i++) {
      expect(middles[i]! - middles[i - 1]!).toBeGreaterThanOrEqual(12);
    }
  });
});

describe("the axis", () => {
  test("spans zero and all values, and names the ends that can be told apart", () => {
    const axis = axisOf([3, -1], 100, 300);
    expect([axis.x(-1), axis.x(0), axis.x(3)]).toEqual([100, 150, 300]);
    expect(axis.ticks).toEqual([0, -1, 3]);
    expect(axisOf([3, -0.1], 100, 300).ticks).toEqual([0, 3]);
  });

  test("stands where nothing has an effect", () => {
    expect(axisOf([0, 0], 100, 300)).toMatchObject({ ticks: [0] });
    expect(axisOf([0, 0], 100, 300).x(0)).toBe(100);
  });
});

test("parts are summed once, whatever is sent", () => {
  const all = [...ALL, "L7.new", "other"];
  const each = all.map((_, i) => 2 ** i);
  const found = sums(all, each);
  expect(found.reduce((sum, [, one]) => sum + one, 0)).toBe(2 ** all.length - 1);
  expect(found.map(([group]) => group)).toEqual([
    "attention together",
    "mixers together",
    "MLPs together",
    "embedding and biases",
    "entropy",
    "soft cap",
    "L7.new",
    "other",
  ]);
});

test("every name has words", () => {
  expect(aboutOf("L3.attn")).toBe("Layer 3's attention, the sum of its heads");
  expect(aboutOf("norm_bias")).toBe("The final norm's bias");
  expect(aboutOf("L7.new")).toBe("Layer 7's new");
  expect(aboutOf("other")).toBe("other");
});
