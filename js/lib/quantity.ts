/** Numbers with named axes, as the kernel sends them: what is shown of them, and what each axis selects. */

import { largest } from "./colour";
import { isOff } from "./interventions";
import { type CheckInfo, chosenRow, rowOrMean } from "./rows";
import { type Header, headName, type SelectionState, type Show } from "./state";
import { tokenAt, visible } from "./tokens";
import type { Payload, Tensor } from "./wire";

/** What `src/residscope/views/quantities.py` says of a quantity beside its arrays. */
export type Info = {
  name: string;
  unit: string;
  dims: string[];
  coords: Record<string, string[]>;
  scale: "signed" | "sequential";
  /** Null where the scale ends at the largest number. */
  high: number | null;
  /** One per row where the numbers are parts of the target, else none. */
  checks: CheckInfo[];
  lengths: number[] | null;
  measured_on: string;
  /** What to say if there are no numbers. */
  blank: string;
  /** What the ids of the tensor of labels mean. */
  texts: Record<string, string> | null;
};

export type Quantity = Info & {
  values: Tensor;
  before: Tensor | null;
  /** The change, where it is not `values` minus `before`. */
  moved: Tensor | null;
  labels: Int32Array | null;
};

export type Block = "map" | "bars" | "curve" | "chips" | "table";

/** What is drawn of a quantity: one row of it or the mean, as it is, as it was, or the change. */
export type Shown = {
  of: Quantity;
  block: Block;
  show: Show;
  /** The axes of the cells, and how many there are along each. */
  dims: string[];
  sizes: number[];
  /** What a step along the first axis skips in `values`. */
  stride: number;
  values: Float32Array;
  /** What stands beside the value: the untouched run's, and in a change both ends of it. */
  now: Float32Array;
  before: Float32Array | null;
  /** Each prompt's own where `values` are a mean. */
  spread: Float32Array[];
  /** The prompt that is shown; null is the mean, or numbers that all prompts share. */
  row: number | null;
  signed: boolean;
  limit: number;
  /** Which values are of heads or components that are switched off. */
  off: Set<number>;
};

const ALONG_TOKENS = ["pos", "query", "key"];

export function quantitiesOf(payload: Payload): Quantity[] {
  const { quantities = [] } = payload.info as { quantities?: Info[] };
  return quantities.map((info, i) => {
    const has = (what: string) => payload.names.includes(`${i}.${what}`);
    return {
      ...info,
      values: payload.floats(`${i}.values`),
      before: has("reference") ? payload.floats(`${i}.reference`) : null,
      moved: has("moved") ? payload.floats(`${i}.moved`) : null,
      labels: has("labels") ? payload.ints(`${i}.labels`).data : null,
    };
  });
}

/** Whether the numbers stand along a prompt's tokens, so that one prompt is shown and no mean. */
export function alongTokens({ dims }: Pick<Info, "dims">): boolean {
  return dims.some((axis) => ALONG_TOKENS.includes(axis));
}

export function hasRows({ dims }: Pick<Info, "dims">): boolean {
  return dims[0] === "row";
}

/** How a quantity is drawn, by its axes. */
export function blockOf({ dims, texts }: Pick<Info, "dims" | "texts">): Block {
  const [one, ...more] = dims.filter((axis) => axis !== "row");
  if (!one || (more.length === 0 && texts && !ALONG_TOKENS.includes(one))) return "table";
  if (more.length > 0) return "map";
  if (one === "depth" || one === "layer") return "curve";
  return ALONG_TOKENS.includes(one) ? "chips" : "bars";
}

/** Take what is selected of each quantity; changes in one unit share a scale. */
export function shownOf(
  quantities: Quantity[],
  selected: Pick<SelectionState, "row" | "show">,
  run: Header,
): Shown[] {
  const drawn = quantities.map((of) => draw(of, selected, run));
  for (const one of drawn.filter(({ show }) => show === "change")) {
    const alike = drawn.filter(({ of, show }) => show === "change" && of.unit === one.of.unit);
    one.limit = Math.max(
      ...alike.map(({ values, off }) => largest(values.filter((_, i) => !off.has(i)))),
    );
  }
  return drawn;
}

function draw(of: Quantity, selected: Pick<SelectionState, "row" | "show">, run: Header): Shown {
  const rows = hasRows(of) ? of.values.shape[0]! : 1;
  const first = alongTokens(of) ? (selected.row ?? 0) : selected.row;
  const chosen = hasRows(of) ? chosenRow(first, rows) : null;
  const row = chosen ?? (alongTokens(of) || rows === 1 ? 0 : null);
  const take = (tensor: Tensor) => (hasRows(of) ? rowOrMean(tensor, row) : tensor.data);
  const now = take(of.values);
  const before = of.before && take(of.before);
  const show = before ? selected.show : "now";
  const change = () => (of.moved ? take(of.moved) : less(now, before!));
  const values = show === "now" ? now : show === "before" ? before! : change();
  const shape = hasRows(of) ? of.values.shape.slice(1) : of.values.shape;
  const dims = hasRows(of) ? of.dims.slice(1) : of.dims;
  const length = of.lengths?.[row ?? 0] ?? run.rows[row ?? 0]?.ids.length;
  const each = row === null ? Array.from({ length: rows }, (_, i) => i) : [];
  const raw = show === "change" ? [] : each.map((i) => rowOrMean(tensorOf(of, show), i));
  return {
    of,
    block: blockOf(of),
    show,
    dims,
    sizes: shape.map((size, i) =>
      ALONG_TOKENS.includes(dims[i]!) ? Math.min(size, length || size) : size,
    ),
    stride: shape[1] ?? 1,
    values,
    now,
    before,
    spread: rows > 1 ? raw : [],
    row: hasRows(of) ? row : null,
    signed: show === "change" || of.scale === "signed",
    limit: of.high ?? Math.max(largest(now), before ? largest(before) : 0),
    off: show === "before" ? new Set() : switchedOff(dims, shape, of, run),
  };
}

function switchedOff(dims: string[], sizes: number[], of: Quantity, run: Header): Set<number> {
  const off = new Set<number>();
  if (run.interventions.length === 0) return off;
  const names = isHeads(dims)
    ? Array.from({ length: sizes[0]! * sizes[1]! }, (_, i) =>
        headName([Math.floor(i / sizes[1]!), i % sizes[1]!]),
      )
    : dims.length === 1
      ? (of.coords.component ?? [])
      : [];
  names.forEach((name, i) => {
    if (isOff(run, name)) off.add(i);
  });
  return off;
}

function tensorOf({ values, before }: Quantity, show: Show): Tensor {
  return show === "before" && before ? before : values;
}

function less(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value - b[i]!);
}

/** Where a cell stands among the values. */
export function indexOf({ stride, sizes }: Pick<Shown, "stride" | "sizes">, at: number[]): number {
  return sizes.length > 1 ? at[0]! * stride + at[1]! : (at[0] ?? 0);
}

/** The text that stands with a number, or nothing. */
export function labelOf({ of, row }: Shown, index: number): string {
  if (!of.labels || !of.texts) return "";
  const size = of.labels.length / (hasRows(of) ? of.values.shape[0]! : 1);
  return of.texts[of.labels[(hasRows(of) ? (row ?? 0) : 0) * size + index]!] ?? "";
}

/** What stands along an axis at a number: "L3", "3", "2.mid", "·to", a component's name. */
export function tickOf({ of, row }: Shown, axis: string, at: number, run: Header): string {
  const named = of.coords[axis]?.[at];
  if (named !== undefined) return named;
  if (axis === "layer") return `L${at}`;
  if (axis === "depth") return run.depths[at] ?? String(at);
  if (!ALONG_TOKENS.includes(axis)) return String(at);
  const token = tokenAt(run, row ?? 0, at);
  return token.text ? visible(token.text) : String(at);
}

/** A cell's name in a sentence: "L3H1", "embed", "L3, ·to (14)". */
export function nameOf(shown: Shown, at: number[], run: Header): string {
  const { dims } = shown;
  if (isHeads(dims)) return headName([at[0]!, at[1]!]);
  return dims
    .map((axis, i) => spot(axis, at[i]!, tickOf(shown, axis, at[i]!, run), run))
    .join(", ");
}

/** The same for screen readers: "layer 3, head 1". */
export function spokenName(shown: Shown, at: number[], run: Header): string {
  const said = shown.dims.map((axis, i) => {
    const tick = tickOf(shown, axis, at[i]!, run);
    if (axis === "layer" || axis === "head") return `${axis} ${tick.replace(/^L/, "")}`;
    const words = spot(axis, at[i]!, tick, run);
    return axis === "query" || axis === "key" ? `${axis} ${words}` : words;
  });
  return said.join(", ");
}

function spot(axis: string, at: number, tick: string, run: Header): string {
  if (axis === "component" || axis === "layer" || axis === "depth") return tick;
  const isToken = ALONG_TOKENS.includes(axis);
  if (isToken)
    return run.rows.some(({ ids }) => ids.length > 0) ? `${tick} (${at})` : `${axis} ${at}`;
  return /^\d/.test(tick) ? `${axis} ${tick}` : tick;
}

/** Whether the cells are heads: a click selects one in every view. */
export function isHeads(dims: string[]): boolean {
  return dims.length === 2 && dims[0] === "layer" && dims[1] === "head";
}

/** What a click on a cell selects; nothing where its axes select nothing. */
export function picked(dims: string[], at: number[], run: Header): Partial<SelectionState> {
  if (isHeads(dims)) return { head: [at[0]!, at[1]!] };
  const patch: Partial<SelectionState> = {};
  dims.forEach((axis, i) => {
    const index = at[i]!;
    if (axis === "depth") patch.depth = index;
    if (axis === "layer") patch.depth = depthAfter(index, run);
    if (axis === "pos" || axis === "query") patch.position = index;
    if (axis === "key") patch.key = index;
  });
  return patch;
}

/** Where along each axis the selection stands; null where it says nothing, or nothing in this run. */
export function chosenAt(
  { dims, sizes, row }: Pick<Shown, "dims" | "sizes" | "row">,
  selection: SelectionState,
  run: Header,
): (number | null)[] {
  // What the axes do not name is not read, so that it may change without drawing the view again.
  const chosen = dims.map((axis, i) => {
    if (isHeads(dims)) return selection.head?.[i] ?? null;
    if (axis === "layer") return layerAt(selection.depth, run);
    if (axis === "depth") return selection.depth;
    if (axis === "key") return selection.key;
    if (axis !== "pos" && axis !== "query") return null;
    return selection.position ?? run.rows[row ?? 0]?.target_position ?? null;
  });
  const inside = chosen.map((at, i) => (at !== null && at < sizes[i]! ? at : null));
  return isHeads(dims) && inside.includes(null) ? [null, null] : inside;
}

/** Why what is selected is not among the cells, or null. */
export function notInRun(
  { dims, sizes }: Pick<Shown, "dims" | "sizes">,
  selection: SelectionState,
): string | null {
  const last = (axis: string) => sizes[dims.indexOf(axis)]!;
  if (isHeads(dims)) {
    const { head } = selection;
    const [layers = 0, heads = 0] = sizes;
    if (!head || (head[0] < layers && head[1] < heads)) return null;
    return `${headName(head)} is not in this run, which has ${layers} layers of ${heads} heads.`;
  }
  const depth = dims.includes("depth") ? selection.depth : -1;
  if (depth >= last("depth")) {
    return `Stop ${depth} of the slider is not in this run, which has ${last("depth")}.`;
  }
  for (const axis of dims.filter((one) => ALONG_TOKENS.includes(one))) {
    const at = axis === "key" ? selection.key : selection.position;
    if (at === null || at < last(axis)) continue;
    return `Position ${at} is not in this run, whose prompt has ${last(axis)} tokens.`;
  }
  return null;
}

/** The stop after a layer, in the names of the run's stops. */
function depthAfter(layer: number, { depths }: Header): number {
  // The last layer's end is the output.
  const within = depths.indexOf(`${layer}.mid`);
  return within >= 0 ? within + 1 : Math.max(0, Math.min(layer, depths.length - 1));
}

/** The layer that a stop belongs to; the last stop is the end of the last layer. */
function layerAt(depth: number, { depths }: Header): number | null {
  const name = depths[depth] ?? "";
  const [, layer] = /^(\d+)\.(?:mid|post)$/.exec(name) ?? [];
  if (layer) return Number(layer);
  const before = /^(\d+)\.mid$/.exec(depths[depth - 1] ?? "");
  if (before) return Number(before[1]);
  return depths.some((one) => one.endsWith(".post")) || name === "embed" ? null : depth;
}
