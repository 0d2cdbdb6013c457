/** Fetch what was not sent with a run: the only way to ask the kernel, and the only cache of its answers. */

import type { AnyModel } from "@anywidget/types";
import { computed, type ReadonlySignal } from "@preact/signals-core";
import type { SharedTraits } from "./state";
import { type Bytes, type Payload, readPayload, type Tensor } from "./wire";

/** The kernel's answer for one key. */
export type Answer = {
  info: Record<string, unknown>;
  /** Why there is no answer, or null. */
  error: string | null;
  floats(name: string): Tensor;
  ints(name: string): Tensor<Int32Array>;
};

export type Asker = {
  /** What is known by a key of a run, always the same object; null while it is not here. */
  get(run: number, key: string): Answer | null;
  /** Ask for those keys that are not here; the newest question takes the place of an older one. */
  want(run: number, keys: string[]): void;
};

/** How much is kept of what the kernel has answered, in bytes as they came. */
export const MOST_BYTES = 24 * 2 ** 20;

type Said = { key: string; error: string | null; info?: Record<string, unknown> };

export type Answers = {
  get(run: number, key: string): Answer | null;
  /** Add what a message brought; the oldest messages go, but never this one. */
  take(payload: Payload | null, bytes: number): void;
};

/** Keep answers up to so many bytes, by run and key. */
export function keepAnswers(most = MOST_BYTES): Answers {
  const kept = new Map<string, { answer: Answer; from: Payload }>();
  const messages = new Map<Payload, number>();
  return {
    get: (run, key) => kept.get(nameOf(run, key))?.answer ?? null,
    take(payload, bytes) {
      if (!payload) return;
      messages.set(payload, bytes);
      const said = (payload.info.answers ?? []) as Said[];
      for (const [at, { key, error, info = {} }] of said.entries()) {
        const floats = remembering((name) => payload.floats(`${at}.${name}`));
        const ints = remembering((name) => payload.ints(`${at}.${name}`));
        kept.set(nameOf(payload.run, key), {
          answer: { info, error, floats, ints },
          from: payload,
        });
      }
      let held = [...messages.values()].reduce((sum, one) => sum + one, 0);
      for (const [oldest, size] of messages) {
        if (held <= most || oldest === payload) break;
        held -= size;
        messages.delete(oldest);
        for (const [name, { from }] of kept) if (from === oldest) kept.delete(name);
      }
    },
  };
}

function nameOf(run: number, key: string): string {
  return `${run}/${key}`;
}

function remembering<T>(read: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    const value = known.get(name) ?? read(name);
    known.set(name, value);
    return value;
  };
}

/** Ask by the view's traits `_ask` and `_answer`, which hosts throttle. */
export function openAsk(
  model: AnyModel<SharedTraits>,
  sent: ReadonlySignal<Bytes>,
  unasked: ReadonlySignal<string | null>,
): Asker {
  const answers = keepAnswers();
  let waiting = new Set<string>();
  let id = 0;
  const newest = computed(() => {
    const payload = readPayload(sent.value);
    answers.take(payload, sent.value?.byteLength ?? 0);
    for (const { key } of (payload?.info.answers ?? []) as Said[]) {
      waiting.delete(nameOf(payload!.run, key));
    }
    return payload;
  });
  return {
    get(run, key) {
      void newest.value;
      return answers.get(run, key);
    },
    want(run, keys) {
      void newest.value;
      const missing = keys.filter((key) => !answers.get(run, key));
      if (unasked.value || missing.every((key) => waiting.has(nameOf(run, key)))) return;
      waiting = new Set(missing.map((key) => nameOf(run, key)));
      id += 1;
      model.set("_ask", { id, run, keys: missing });
      model.save_changes();
    },
  };
}
