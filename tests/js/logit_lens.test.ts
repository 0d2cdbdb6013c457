import { describe, expect, test } from "vitest";
import { keepAnswers } from "../../js/lib/ask";
import { inkOn, sequentialScale } from "../../js/lib/colour";
import { axesOf, type Size, stepAt } from "../../js/lib/curve";
import { contrast } from "../../js/lib/rgb";
import { plain } from "../../js/lib/sentence";
import type { Header } from "../../js/lib/state";
import type { Theme } from "../../js/lib/theme";
import { unbroken } from "../../js/lib/unbroken";
import { readPayload } from "../../js/lib/wire";
import { placeOf, readLens } from "../../js/views/logit_lens/data";
import {
  boxOf,
  columnWidths,
  layOut,
  scrollTo,
  seenColumns,
  spotAt,
} from "../../js/views/logit_lens/layout";
import { sentence } from "../../js/views/logit_lens/words";
import { bytesOf, type Entry, safetensors } from "./safetensors";

const RUN = {
  number: 7,
  rows: [0, 1].map((row) => ({
    prompt: "",
    ids: row ? [0, 1] : [0, 1, 2],
    template: [],
    target_position: row ? 1 : 2,
    right: { ids: [1], text: " Mary" },
    wrong: { ids: [2], text: " John" },
    target: { name: "", value: 2, unit: "logits" },
    right_prob: 0.9,
    right_rank: 0,
  })),
  texts: { 0: "<|endoftext|>", 1: " Mary", 2: " to" },
  specials: [0],
  bos: 0,
  depths: ["embed", "output"],
  warnings: [],
} as unknown as Header;

const HALVES = { one: 0x3c00, half: 0x3800, quarter: 0x3400 };

function cells(suffix: string, width: number, id: number, share: number): Record<string, Entry> {
  const size = 2 * width * 2;
  const ids = Int32Array.from({ length: size }, (_, i) => (i % 2 ? 2 : id));
  const probs = Uint16Array.from({ length: size }, (_, i) => (i % 2 ? HALVES.quarter : share));
  return {
    [`top_ids${suffix}`]: { dtype: "I32", shape: [2, width, 2], data: bytesOf(ids) },
    [`top_probs${suffix}`]: { dtype: "F16", shape: [2, width, 2], data: bytesOf(probs) },
    [`entropy${suffix}`]: { dtype: "F16", shape: [2, width], data: new Uint8Array(4 * width) },
  };
}

function under(prefix: string, entries: Record<string, Entry>): Record<string, Entry> {
  return Object.fromEntries(Object.entries(entries).map(([name, one]) => [prefix + name, one]));
}

/** Two rows of two depths and two guesses; of the first its last two positions of three are here. */
function lensOf(row: number, ask = keepAnswers()) {
  const curve = Float32Array.from({ length: 12 }, (_, i) => i);
  const file = safetensors(
    {
      ...cells(".0", 2, 1, HALVES.half),
      ...cells(".1", 2, 9, HALVES.one),
      curve: { dtype: "F32", shape: [2, 2, 3], data: bytesOf(curve) },
      target_value: { dtype: "F32", shape: [2, 2], data: bytesOf(Float32Array.of(-1, 2, 3, 4)) },
      target_rank: { dtype: "I32", shape: [2, 2], data: bytesOf(Int32Array.of(5, 0, 6, 1)) },
    },
    { info: { texts: { 9: " Zoe" }, check: [], starts: [1, 0], block: 2 } },
  );
  return readLens({ payload: readPayload(file)!, run: RUN })(row, ask);
}

/** The first row's first block of two, as the kernel answers when it comes on screen. */
function first(run = 7) {
  const answers = keepAnswers();
  const said = { key: "cells/0/0/2", error: null, info: { texts: { 5: " Ann" } } };
  const file = safetensors(under("0.", cells("", 2, 5, HALVES.one)), {
    run,
    info: { answers: [said] },
  });
  answers.take(readPayload(file), file.length);
  return answers;
}

describe("a lens", () => {
  test("holds one row's guesses, target and rank", () => {
    const lens = lensOf(1);
    expect(lens.top(0, 0)).toEqual({ id: 9, probability: 1 });
    expect(lens.guesses(1, 1, 10)).toHaveLength(2);
    expect(lens.guesses(1, 1, 1)).toHaveLength(1);
    expect([...lens.target]).toEqual([3, 4]);
    expect([...lens.rank]).toEqual([6, 1]);
    expect(lens.name(9).text).toBe(" Zoe");
  });

  test("has no cell beyond the row's last token or the last depth", () => {
    expect(lensOf(1).top(0, 2)).toBeNull();
    expect(lensOf(0).top(0, 2)).not.toBeNull();
    expect(lensOf(0).top(2, 0)).toBeNull();
  });

  test("holds what came on screen, of its own run and row", () => {
    expect(lensOf(0).top(0, 0)).toBeNull();
    expect(lensOf(0, first()).top(1, 0)).toEqual({ id: 5, probability: 1 });
    expect(lensOf(0, first()).name(5).text).toBe(" Ann");
    expect(lensOf(0, first(6)).top(1, 0)).toBeNull();
    expect(lensOf(1, first()).top(1, 0)).toEqual({ id: 9, probability: 1 });
  });

  test("asks for the block of the first position that is not here", () => {
    expect(lensOf(0).missing(0, 2)).toEqual({ start: 0, stop: 2 });
    expect(lensOf(0).missing(1, 9)).toBeNull();
    expect(lensOf(0, first()).missing(0, 2)).toBeNull();
  });

  test("has the target at every position", () => {
    expect([...lensOf(0).curve(1)!]).toEqual([1, 4]);
    expect([...lensOf(1).curve(0)!]).toEqual([6, 9]);
  });

  test("is put into one sentence", () => {
    expect(plain(sentence(RUN, lensOf(0), 1, 2))).toBe(
      "At the output, after ·to (2), ·Mary leads with 0.50; ·Mary is ahead of ·John by 2.00 logits.",
    );
    expect(plain(sentence(RUN, lensOf(0), 0, 1))).toBe(
      "At the embedding, after ·Mary (1), ·Mary leads with 0.50; where the target is read, after " +
        "·to (2), ·Mary is behind ·John by 1.00 logits.",
    );
  });
});

describe("the place", () => {
  test("is where the target is read unless a position is selected", () => {
    expect(placeOf(RUN, 0, { row: null, depth: 1, position: null })).toEqual({
      depth: 1,
      position: 2,
      missing: null,
    });
  });

  test("says what is not in this run", () => {
    expect(placeOf(RUN, 1, { row: 1, depth: 0, position: 2 }).missing).toContain("Position 2");
    expect(placeOf(RUN, 0, { row: 4, depth: 0, position: 0 }).missing).toContain("Prompt 4");
    expect(placeOf(RUN, 0, { row: 0, depth: 2, position: 0 })).toMatchObject({ depth: null });
  });
});

describe("the grid", () => {
  test("gives each column the room that its text needs", () => {
    const widths = columnWidths([20, 90, 20], 500);
    expect(widths[1]).toBeGreaterThanOrEqual(98);
    expect(widths[0]).toBe(64);
    expect(columnWidths([20, 90, 20], 100)).toEqual([34, 100, 34]);
  });

  test("finds under a point the cell that is drawn there, scrolled or not", () => {
    const layout = layOut({ depths: 5, texts: [10, 90, 30, 50], gutter: 40, available: 180 });
    for (const scroll of [0, 30, layout.full - layout.width]) {
      const [from, to] = seenColumns(layout, scroll);
      for (let col = from; col <= to; col++) {
        const box = boxOf(layout, scroll, { row: 3, col });
        const x = Math.max(layout.gutter, box.x) + 1;
        expect(spotAt(layout, scroll, x, box.y + 1)).toEqual({ row: 3, col });
      }
    }
    expect(spotAt(layout, 0, 5, layout.top + 1)).toEqual({ row: 4, col: null });
    expect(spotAt(layout, 0, 50, layout.height - 2)).toEqual({ row: null, col: 0 });
  });

  test("scrolls no further than it must", () => {
    const layout = layOut({ depths: 2, texts: Array(50).fill(40), gutter: 40, available: 300 });
    expect(scrollTo(layout, 0, 0)).toBe(0);
    const last = scrollTo(layout, 0, 49);
    expect(seenColumns(layout, last)[1]).toBe(49);
    expect(scrollTo(layout, last, 49)).toBe(last);
    expect(scrollTo(layout, last, 3)).toBe(layout.edges[3]);
  });

  test.each([true, false])("writes with ink that can be read, dark %s", (dark) => {
    const [light, black]: [Theme["page"], Theme["page"]] = [
      [255, 255, 255],
      [17, 20, 24],
    ];
    const theme = { dark, page: dark ? black : light, ink: dark ? light : black } as Theme;
    const scale = sequentialScale(1, theme);
    for (let share = 0; share <= 1; share += 1 / 256) {
      const ground = scale.at(share);
      expect(contrast(inkOn(ground, theme), ground)).toBeGreaterThanOrEqual(4.5);
    }
  });
});

describe("the curve", () => {
  const SIZE: Size = { width: 232, height: 112, left: 42, right: 8 };

  test("breaks where there is no number", () => {
    const none = Number.NaN;
    expect(unbroken([none, 1, 2, none, 3])).toEqual([[1, 2], [4]]);
    expect(unbroken([none])).toEqual([]);
  });

  test("always has zero on its axis", () => {
    const axis = axesOf([2, 4], 2, SIZE);
    expect(axis.y(0)).toBeGreaterThan(axis.y(2));
    expect(axis.ticks).toEqual([0, 4]);
    expect(axesOf([0, 0], 2, SIZE).ticks).toEqual([0]);
  });

  test("finds the nearest depth", () => {
    const { x } = axesOf(Array(49).fill(1), 49, SIZE);
    for (const depth of [0, 1, 24, 48]) expect(stepAt(x(depth) + 0.4, 49, SIZE)).toBe(depth);
    expect(stepAt(-50, 49, SIZE)).toBe(0);
    expect(stepAt(999, 49, SIZE)).toBe(48);
  });
});
