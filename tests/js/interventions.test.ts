import { describe, expect, it } from "vitest";
import { called, isOff, switched } from "../../js/lib/interventions";
import { shownOf } from "../../js/lib/quantity";
import { type Intervention, NOTHING_SELECTED } from "../../js/lib/state";
import { quantity, RUN } from "./quantities";

const ablation = (parts: string[], more: Partial<Intervention> = {}): Intervention => ({
  do: "ablate",
  parts,
  kind: "mean",
  by: 0,
  at: "",
  ...more,
});

describe("called", () => {
  it.each([
    [ablation(["L3H0"]), "L3H0 off"],
    [
      ablation(["L3H0", "L2.mlp"], { by: 0.5, at: "at [-1]" }),
      "L3H0, L2.mlp at dose 0.500, at [-1]",
    ],
    [ablation(["L3H0"], { do: "scale", by: 2 }), "L3H0 × 2.00"],
    [ablation(["L1.resid_post"], { do: "steer", by: 1 }), "L1.resid_post + vector"],
    [ablation(["L1.resid_post"], { do: "steer", by: -2 }), "L1.resid_post + vector × −2.00"],
  ])("writes %o as %s", (one, words) => {
    expect(called(one)).toBe(words);
  });
});

describe("isOff", () => {
  const run = {
    ...RUN,
    interventions: [
      ablation(["L1H2", "L0"]),
      ablation(["L2.attn"]),
      ablation(["L3H0"], { by: 0.5 }),
      ablation(["L3H1"], { do: "scale", by: 0 }),
    ],
  };
  it.each(["L1H2", "L0H3", "L0.mlp", "L0.attn", "L2H7", "L2.attn"])("%s is", (name) => {
    expect(isOff(run, name)).toBe(true);
  });
  it.each(["L1H1", "L2.mlp", "L3H0", "L3H1", "L10H0", "embed", "norm_bias"])(
    "%s is not",
    (name) => {
      expect(isOff(run, name)).toBe(false);
    },
  );
});

describe("switched", () => {
  it.each([
    [{}, []],
    [{ head: [3, 0] as [number, number] }, ["L3H0"]],
    [{ pinned: ["L1H1", "L2.mlp"] }, ["L1H1", "L2.mlp"]],
    [{ head: [1, 1] as [number, number], pinned: ["L1H1", "L2.mlp"] }, ["L1H1", "L2.mlp"]],
    [{ head: [3, 0] as [number, number], pinned: ["L1H1"] }, ["L3H0"]],
  ])("of %o are %o", (selected, parts) => {
    expect(switched({ ...NOTHING_SELECTED, ...selected })).toEqual(parts);
  });
});

describe("what is off", () => {
  const run = { ...RUN, interventions: [ablation(["L0H1"])] };
  const heads = {
    ...quantity("layer head", [1, 3], [1, 0, -1], { before: [1, 5, -2] }),
    moved: { shape: [1, 3], data: new Float32Array([0.25, -5, 0.5]) },
  };
  it("does not count on the scale of a change, which is what moved", () => {
    const [shown] = shownOf([heads], { row: null, show: "change" }, run);
    expect([...shown!.values]).toEqual([0.25, -5, 0.5]);
    expect(shown!.limit).toBe(0.5);
    expect([...shown!.off]).toEqual([1]);
  });
  it("is on in what was before", () => {
    const [shown] = shownOf([heads], { row: null, show: "before" }, run);
    expect([...shown!.values]).toEqual([1, 5, -2]);
    expect(shown!.off.size).toBe(0);
  });
});
