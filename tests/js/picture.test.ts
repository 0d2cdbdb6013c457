import { describe, expect, test } from "vitest";
import { type Held, isStale, join, NOTHING_HELD } from "../../js/lib/picture";
import type { Header } from "../../js/lib/state";
import type { Payload } from "../../js/lib/wire";

const payload = (run: number) => ({ run }) as Payload;
const labels = (number: number) => ({ number }) as Header;

type Message = { payload: Payload } | { run: Header };

function see(held: Held, message: Message): Held {
  return "run" in message ? join(held, null, message.run) : join(held, message.payload, null);
}

/** A seeded generator, so that a failure can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function shuffled<T>(items: T[], random: () => number): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
  }
  return mixed;
}

describe("joining payloads and runs", () => {
  test("a picture needs both halves of one run", () => {
    const half = join(NOTHING_HELD, payload(7), null);
    expect(half.picture).toBeNull();
    expect(join(half, null, labels(7)).picture).toEqual({ payload: payload(7), run: labels(7) });
  });

  test("the last picture is kept, stale, until the next run is complete", () => {
    const shown = join(NOTHING_HELD, payload(7), labels(7));
    const waiting = join(shown, payload(8), null);
    expect(waiting.picture).toBe(shown.picture);
    expect([isStale(shown), isStale(waiting)]).toEqual([false, true]);
    expect(isStale(join(waiting, null, labels(8)))).toBe(false);
  });

  test("nothing arriving twice makes a new picture", () => {
    const [numbers, run] = [payload(7), labels(7)];
    const shown = join(NOTHING_HELD, numbers, run);
    expect(join(shown, numbers, run).picture).toBe(shown.picture);
  });

  test.each(Array.from({ length: 200 }, (_, seed) => seed))("in any order (%i)", (seed) => {
    const random = generator(seed);
    const runs = [1, 2, 3, 4, 5, 6];
    const messages = runs.flatMap((n): Message[] => [{ payload: payload(n) }, { run: labels(n) }]);
    let held = NOTHING_HELD;
    let newest = 0;
    for (const message of shuffled(messages, random)) {
      held = see(held, message);
      if (!held.picture) continue;
      expect(held.picture.payload.run).toBe(held.picture.run.number);
      expect(held.picture.run.number).toBeGreaterThanOrEqual(newest);
      newest = held.picture.run.number;
    }
    expect(newest).toBe(6);
    expect(isStale(held)).toBe(false);
  });
});
