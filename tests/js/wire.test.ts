import { describe, expect, test } from "vitest";
import { decodeHalf, readPayload } from "../../js/lib/wire";
import { bytesOf, type Entry, safetensors } from "./safetensors";

const VALUES = new Float32Array([1.5, -2.25, Number.NaN, 0]);
const IDS = new Int32Array([3, -1]);
const ENTRIES: Record<string, Entry> = {
  ids: { dtype: "I32", shape: [2], data: bytesOf(IDS) },
  values: { dtype: "F32", shape: [2, 2], data: bytesOf(VALUES) },
};

describe("a payload", () => {
  test("nothing sent yet is no payload", () => {
    expect(readPayload(null)).toBeNull();
    expect(readPayload(new Uint8Array(0))).toBeNull();
  });

  test.each([0, 1, 2, 3])("is read when its data is %i bytes off alignment", (pad) => {
    const payload = readPayload(safetensors(ENTRIES, { run: 12, info: { unit: "logits" }, pad }))!;
    expect(payload.run).toBe(12);
    expect(payload.info).toEqual({ unit: "logits" });
    expect(payload.names).toEqual(["ids", "values"]);
    expect(payload.floats("values")).toEqual({ shape: [2, 2], data: VALUES });
    expect(payload.ints("ids")).toEqual({ shape: [2], data: IDS });
  });

  test.each([1, 5, 8])("is read from part of a buffer, %i bytes in", (offset) => {
    const file = safetensors(ENTRIES);
    const buffer = new Uint8Array(file.length + offset + 9).fill(255);
    buffer.set(file, offset);
    for (const part of [
      new DataView(buffer.buffer, offset, file.length),
      buffer.subarray(offset, offset + file.length),
    ]) {
      expect(readPayload(part)!.floats("values").data).toEqual(VALUES);
    }
  });

  test("a missing tensor and a wrong type are named", () => {
    const payload = readPayload(safetensors(ENTRIES))!;
    expect(() => payload.floats("row.0")).toThrow("the payload has no tensor row.0");
    expect(() => payload.floats("ids")).toThrow("ids is I32");
  });
});

test("float16 is decoded exactly: zeros, subnormals, ordinary numbers, infinity, NaN", () => {
  const halves = [0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0xc000, 0x3555, 0x7bff, 0x7c00];
  const expected = [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -2, 0.333251953125, 65504];
  const decoded = [...decodeHalf(new Uint16Array([...halves, 0xfc00, 0x7e00]).buffer)];
  expect(decoded.slice(0, 9)).toEqual(expected);
  expect(decoded.slice(9)).toEqual([
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ]);
});
