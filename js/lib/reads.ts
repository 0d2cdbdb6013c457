/** What a view has read of a shared state: the rest may change without drawing it anew. */

import { computed, type ReadonlySignal } from "@preact/signals-core";
import { same } from "./same";

/**
 * Follow `whole` as far as it is read: the signal changes when a part that was ever read through it does. What it
 * gives is read as it is now, by handlers too that were made before.
 */
export function readParts<State extends object>(
  whole: ReadonlySignal<State>,
): ReadonlySignal<State> {
  const read = new Set<keyof State>();
  const get = (_: State, key: string | symbol) => {
    read.add(key as keyof State);
    return whole.peek()[key as keyof State];
  };
  let before = whole.peek();
  let shown: State | undefined;
  return computed(() => {
    const now = whole.value;
    const changed = [...read].some((key) => !same(now[key], before[key]));
    before = now;
    if (!shown || changed) shown = new Proxy(now, { get });
    return shown;
  });
}
