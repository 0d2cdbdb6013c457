import type { AnyModel } from "@anywidget/types";
import { signal } from "@preact/signals-core";
import { describe, expect, test } from "vitest";
import { keepAnswers, openAsk } from "../../js/lib/ask";
import type { SharedTraits } from "../../js/lib/state";
import { type Bytes, readPayload } from "../../js/lib/wire";
import { bytesOf, type Entry, safetensors } from "./safetensors";

/** What the kernel sends: one number for each key, the number of its place. */
function sent(keys: string[], { run = 7, error = null as string | null } = {}): Uint8Array {
  const entries = keys.map((_, at): [string, Entry] => {
    const data = bytesOf(Float32Array.of(at));
    return [`${at}.weights`, { dtype: "F32", shape: [1], data }];
  });
  const answers = keys.map((key) => ({ key, error, info: { of: key } }));
  return safetensors(error ? {} : Object.fromEntries(entries), { run, info: { answers } });
}

function take(answers: ReturnType<typeof keepAnswers>, bytes: Uint8Array, size = bytes.length) {
  answers.take(readPayload(bytes), size);
}

describe("answers", () => {
  test("are found by run and key, each with its own arrays and words", () => {
    const answers = keepAnswers();
    take(answers, sent(["a", "b"]));
    expect(answers.get(7, "b")!.floats("weights").data[0]).toBe(1);
    expect(answers.get(7, "b")!.info).toEqual({ of: "b" });
    expect(answers.get(7, "b")).toBe(answers.get(7, "b"));
    expect(answers.get(8, "b")).toBeNull();
    expect(answers.get(7, "c")).toBeNull();
  });

  test("say why there is nothing", () => {
    const answers = keepAnswers();
    take(answers, sent(["a"], { error: "layer 3 has a gate" }));
    expect(answers.get(7, "a")!.error).toBe("layer 3 has a gate");
  });

  test("are forgotten beyond a budget of bytes, the oldest message first", () => {
    const answers = keepAnswers(100);
    take(answers, sent(["a", "b"]), 40);
    take(answers, sent(["b", "c"]), 40);
    expect(answers.get(7, "a")).not.toBeNull();
    take(answers, sent(["d"]), 40);
    expect(["a", "b", "c", "d"].map((key) => answers.get(7, key) !== null)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  test("of the newest message are kept, however large it is", () => {
    const answers = keepAnswers(100);
    take(answers, sent(["a"]), 40);
    take(answers, sent(["b"]), 1000);
    expect(answers.get(7, "a")).toBeNull();
    expect(answers.get(7, "b")).not.toBeNull();
  });
});

function opened() {
  const asked: unknown[] = [];
  const model = {
    set: (_name: string, value: unknown) => asked.push(value),
    save_changes: () => {},
  } as unknown as AnyModel<SharedTraits>;
  const answer = signal<Bytes>(new Uint8Array());
  const unasked = signal<string | null>(null);
  return { asked, answer, unasked, ask: openAsk(model, answer, unasked) };
}

describe("a question", () => {
  test("is asked once for what is not here, and not for what is", () => {
    const { asked, answer, ask } = opened();
    answer.value = sent(["a"]);
    ask.want(7, ["a", "b"]);
    ask.want(7, ["a", "b"]);
    expect(asked).toEqual([{ id: 1, run: 7, keys: ["b"] }]);
    answer.value = sent(["b"]);
    ask.want(7, ["a", "b"]);
    expect(asked).toHaveLength(1);
    expect(ask.get(7, "b")!.info).toEqual({ of: "b" });
  });

  test("takes the place of the one before, and asks again for what that one asked", () => {
    const { asked, ask } = opened();
    ask.want(7, ["a"]);
    ask.want(7, ["a", "b"]);
    ask.want(7, ["c"]);
    ask.want(7, ["a"]);
    expect(asked).toEqual([
      { id: 1, run: 7, keys: ["a"] },
      { id: 2, run: 7, keys: ["a", "b"] },
      { id: 3, run: 7, keys: ["c"] },
      { id: 4, run: 7, keys: ["a"] },
    ]);
  });

  test("is asked anew of another run", () => {
    const { asked, answer, ask } = opened();
    answer.value = sent(["a"]);
    ask.want(8, ["a"]);
    expect(asked).toEqual([{ id: 1, run: 8, keys: ["a"] }]);
  });

  test("is not asked where there is no kernel", () => {
    const { asked, unasked, ask } = opened();
    unasked.value = "needs a kernel";
    ask.want(7, ["a"]);
    expect(asked).toEqual([]);
    unasked.value = null;
    ask.want(7, ["a"]);
    expect(asked).toHaveLength(1);
  });
});
