/** Where each part's bar stands: from the embedding up through the layers, as the residual stream flows. */

/** One bar's line; `name` is the component's, `part` what is left of it within a layer. */
export type Line = { index: number; name: string; part: string; y: number; height: number };

/** What stands together: the parts of a layer, or one part by itself. */
export type Band = { layer: number | null; lines: Line[]; y: number; height: number };

export type Layout = {
  /** In the order of the payload: the first is drawn lowest. */
  bands: Band[];
  /** The thickness of a bar. */
  bar: number;
  /** Whether every bar has room for its name and number. */
  named: boolean;
  /** Where the lines end and the axis begins. */
  bottom: number;
};

const THICKEST = 10;
const THINNEST = 2;
const NAMED_FROM = 8;
const TALLEST = 624;
const TOP = 4;
const NAME_HEIGHT = 12;
const LEAST_NUMBERED = 0.2;

export function splitName(name: string): { layer: number | null; part: string } {
  const match = /^L(\d+)\.(.+)$/.exec(name);
  return match ? { layer: Number(match[1]), part: match[2]! } : { layer: null, part: name };
}

/** Place all parts, with bars as thick as fit into the height that a view may take. */
export function layOut(names: string[], isLeftOut: (at: number) => boolean = () => false): Layout {
  const place = (bar: number) => placed(names, bar, isLeftOut);
  let layout = place(THICKEST);
  for (let bar = THICKEST - 1; bar >= THINNEST && layout.bottom > TALLEST; bar--) {
    layout = place(bar);
  }
  return layout;
}

/** What attention adds wherever it looks is a footnote to it, so its bar is thin. */
export function thickness(part: string, bar: number): number {
  return part === "attn_bias" ? Math.ceil(bar / 2) : bar;
}

function placed(names: string[], bar: number, isLeftOut: (at: number) => boolean): Layout {
  const named = bar >= NAMED_FROM;
  const bands = gather(names, isLeftOut);
  let y = TOP;
  for (let i = bands.length - 1; i >= 0; i--) {
    const band = bands[i]!;
    band.y = y;
    for (const line of [...band.lines].reverse()) {
      line.y = y;
      line.height = named
        ? bar + 4
        : band.layer === null
          ? Math.max(NAME_HEIGHT, bar)
          : thickness(line.part, bar);
      y += line.height;
    }
    band.height = y - band.y;
    if (i > 0) y += gap(band, bands[i - 1]!, bar);
  }
  return { bands, bar, named, bottom: y };
}

function gap(above: Band, below: Band, bar: number): number {
  if (above.layer === null && below.layer === null) return 0;
  if (above.layer === null || below.layer === null || bar >= NAMED_FROM) return 6;
  return bar >= 4 ? 2 : 1;
}

function gather(names: string[], isLeftOut: (at: number) => boolean): Band[] {
  const bands: Band[] = [];
  names.forEach((name, index) => {
    if (name === "final_norm" && isLeftOut(index)) return;
    const { layer, part } = splitName(name);
    const line = { index, name, part, y: 0, height: 0 };
    const last = bands.at(-1);
    if (last && layer !== null && last.layer === layer) last.lines.push(line);
    else bands.push({ layer, lines: [line], y: 0, height: 0 });
  });
  return bands;
}

/**
 * The lines that show their number. Where not all have room, these are the pinned ones and the
 * largest, down to a fifth of the largest of all, as far as they do not touch.
 */
export function numbered(
  { bands, named }: Layout,
  values: ArrayLike<number>,
  pinned: string[],
): Set<number> {
  const lines = bands.flatMap((band) => band.lines);
  if (named) return new Set(lines.map((line) => line.index));
  const alone = new Set(bands.flatMap((band) => (band.layer === null ? band.lines : [])));
  const size = ({ index }: Line) => Math.abs(values[index]!) || 0;
  const rank = (line: Line) => (alone.has(line) ? 2 : pinned.includes(line.name) ? 1 : 0);
  const least = LEAST_NUMBERED * Math.max(...lines.map(size));
  const order = lines.filter((line) => rank(line) > 0 || size(line) >= least);
  order.sort((a, b) => rank(b) - rank(a) || size(b) - size(a));
  const kept: Line[] = [];
  const middle = (line: Line) => line.y + line.height / 2;
  for (const line of order) {
    if (kept.every((one) => Math.abs(middle(one) - middle(line)) >= NAME_HEIGHT)) kept.push(line);
  }
  return new Set(kept.map((line) => line.index));
}

/** From values to pixels, with the zero and as many ends as can be told apart. */
export type Axis = { x(value: number): number; ticks: number[] };

const TICKS_APART = 44;

export function axisOf(values: ArrayLike<number>, left: number, right: number): Axis {
  let [low, high] = [0, 0];
  for (const value of Array.from(values).filter(Number.isFinite)) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const span = high - low || 1;
  const x = (value: number) => left + ((value - low) / span) * (right - left);
  const ends = [low, high].filter((end) => Math.abs(x(end) - x(0)) >= TICKS_APART);
  return { x, ticks: [0, ...ends] };
}
