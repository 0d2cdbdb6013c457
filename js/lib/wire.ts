/** Read one payload: a safetensors file that names its run. */

export type Bytes = DataView | Uint8Array;

export type Tensor<Data = Float32Array> = { shape: number[]; data: Data };

export type Payload = {
  /** The run that everything in this payload was computed on. */
  run: number;
  info: Record<string, unknown>;
  names: string[];
  /** An F32 or F16 tensor, as float32. */
  floats(name: string): Tensor;
  /** An I32 tensor. */
  ints(name: string): Tensor<Int32Array>;
};

type Entry = { dtype: string; shape: number[]; data_offsets: [start: number, end: number] };

/** Return the payload in `bytes`, or null when nothing has been sent yet. */
export function readPayload(bytes: Bytes | null | undefined): Payload | null {
  if (!bytes || bytes.byteLength === 0) return null;
  // Colab gives a Uint8Array where other hosts give a DataView, and either may be part of a
  // larger buffer.
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const dataStart = 8 + headerBytes;
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, dataStart)));
  const { __metadata__: metadata = {}, ...entries } = header as Record<string, Entry> & {
    __metadata__?: Record<string, string>;
  };

  const read = (name: string, dtypes: string[]): [Entry, ArrayBuffer] => {
    const entry = entries[name];
    if (!entry) throw new Error(`the payload has no tensor ${name}`);
    if (!dtypes.includes(entry.dtype)) throw new Error(`${name} is ${entry.dtype}`);
    const [start, end] = entry.data_offsets;
    // A copy, because a typed array needs data aligned to its own item size.
    return [entry, file.slice(dataStart + start, dataStart + end).buffer];
  };

  return {
    run: Number(metadata.run),
    info: JSON.parse(metadata.info ?? "{}"),
    names: Object.keys(entries),
    floats(name) {
      const [{ dtype, shape }, data] = read(name, ["F32", "F16"]);
      return { shape, data: dtype === "F16" ? decodeHalf(data) : new Float32Array(data) };
    },
    ints(name) {
      const [{ shape }, data] = read(name, ["I32"]);
      return { shape, data: new Int32Array(data) };
    },
  };
}

/** Decode float16, which not every browser has an array type for. */
export function decodeHalf(data: ArrayBuffer): Float32Array {
  const halves = new Uint16Array(data);
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    let magnitude: number;
    if (exponent === 0) magnitude = fraction * 2 ** -24;
    else if (exponent === 31) magnitude = fraction ? Number.NaN : Number.POSITIVE_INFINITY;
    else magnitude = 2 ** (exponent - 15) * (1 + fraction / 1024);
    floats[i] = half & 0x8000 ? -magnitude : magnitude;
  }
  return floats;
}
