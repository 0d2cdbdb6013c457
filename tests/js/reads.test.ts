import { effect, signal } from "@preact/signals-core";
import { expect, test } from "vitest";
import { readParts } from "../../js/lib/reads";

type State = { head: [number, number] | null; depth: number; pinned: string[] };

function drawn(read: (state: State) => void) {
  const whole = signal<State>({ head: [1, 2], depth: 0, pinned: [] });
  const parts = readParts(whole);
  const times = { drawn: 0 };
  const stop = effect(() => {
    times.drawn += 1;
    read(parts.value);
  });
  return { whole, parts, times, stop };
}

test("a view is drawn anew by what it has read, and by nothing else", () => {
  const { whole, times } = drawn(({ head }) => head);
  whole.value = { ...whole.value, depth: 3, pinned: ["L0H1"] };
  expect(times.drawn).toBe(1);
  whole.value = { ...whole.value, head: [1, 3] };
  expect(times.drawn).toBe(2);
});

test("what says the same draws nothing anew", () => {
  const { whole, times } = drawn(({ head, pinned }) => [head, pinned]);
  whole.value = { head: [1, 2], depth: 1, pinned: [] };
  expect(times.drawn).toBe(1);
});

test("what was once read is followed from then on, whoever read it", () => {
  const { whole, parts, times } = drawn(({ head }) => head);
  const handler = parts.value;
  whole.value = { ...whole.value, pinned: ["L0H1"] };
  expect(handler.pinned).toEqual(["L0H1"]);
  whole.value = { ...whole.value, pinned: [] };
  expect(times.drawn).toBe(2);
});

test("a state can be copied, which reads all of it", () => {
  const { whole, times } = drawn((state) => ({ ...state }));
  expect({ ...whole.value }).toEqual({ head: [1, 2], depth: 0, pinned: [] });
  whole.value = { ...whole.value, depth: 4 };
  expect(times.drawn).toBe(2);
});
