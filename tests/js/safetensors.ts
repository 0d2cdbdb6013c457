/** Write small safetensors files, so that tests need no kernel. */

export type Entry = { dtype: "F32" | "F16" | "I32"; shape: number[]; data: Uint8Array };

export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** `pad` adds spaces to the header, which moves the data off its alignment. */
export function safetensors(
  entries: Record<string, Entry>,
  { run = 7, info = {}, pad = 0 }: { run?: number; info?: object; pad?: number } = {},
): Uint8Array {
  const header: Record<string, unknown> = {
    __metadata__: { run: String(run), info: JSON.stringify(info) },
  };
  let end = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(entries)) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] };
    end += data.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header) + " ".repeat(pad));
  const file = new Uint8Array(8 + text.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let at = 8 + text.length;
  for (const { data } of Object.values(entries)) {
    file.set(data, at);
    at += data.length;
  }
  return file;
}
