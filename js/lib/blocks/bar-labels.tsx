/** The names at the left of the bars, and the room that they and the numbers need. */

import type { JSX } from "preact";
import { ticks } from "../grid";
import { signed } from "../number";
import type { Band, Layout, Line } from "./bar-layout";

const LABEL_GAP = 8;
/** Between a layer's name and the names of its parts. */
const LAYER_GAP = 10;
const RIGHT_GAP = 10;
const LABEL_HEIGHT = 14;

/** Where the layers' names end, where the bars begin, and the room for numbers at their right. */
export type Margins = { layer: number; left: number; right: number };

export function margins({ bands, named }: Layout, values: Float32Array, font: string): Margins {
  const context = new OffscreenCanvas(1, 1).getContext("2d")!;
  context.font = `11px ${font}`;
  const widest = (texts: string[]) =>
    Math.ceil(Math.max(0, ...texts.map((text) => context.measureText(text).width)));
  const layers = widest(bands.map((band) => (band.layer === null ? "" : `L${band.layer}`)));
  const alone = widest(bands.flatMap((band) => (band.layer === null ? band.lines[0]!.part : [])));
  const inLayer = named
    ? widest(bands.flatMap((band) => (band.layer === null ? [] : band.lines.map((l) => l.part))))
    : -LAYER_GAP;
  const labels = Math.max(alone, layers + LAYER_GAP + inLayer);
  const numbers = widest(Array.from(values, (value) => signed(value)));
  return {
    layer: labels - inLayer - LAYER_GAP,
    left: labels + LABEL_GAP,
    right: numbers + RIGHT_GAP,
  };
}

type LabelProps = {
  layout: Layout;
  margin: Margins;
  pointed: Line | undefined;
  /** The layer of the selected head. */
  chosen: Band | null | undefined;
};

export function Labels({ layout, margin, pointed, chosen }: LabelProps): JSX.Element {
  const { bands, named } = layout;
  const layers = bands.filter((band) => band.layer !== null);
  const pitch = layers.length > 1 ? layers[0]!.y - layers[1]!.y : LABEL_HEIGHT;
  const stressed = layers.filter(
    (band) => band === chosen || (pointed && band.lines.includes(pointed)),
  );
  // What is stressed takes the place of the ticks it would touch.
  const clear = ticks(layers.length, pitch, LABEL_HEIGHT)
    .map((tick) => layers[tick]!)
    .filter((band) => stressed.every((one) => Math.abs(one.y - band.y) >= LABEL_HEIGHT));
  const label = (text: string, x: number, y: number, lit: boolean) => (
    <text key={text + y} class={lit ? "rs-lit" : ""} x={x} y={y} dy="0.35em" text-anchor="end">
      {text}
    </text>
  );
  return (
    <g>
      {[...clear, ...stressed].map((band) =>
        label(`L${band.layer}`, margin.layer, band.y + band.height / 2, stressed.includes(band)),
      )}
      {bands.map((band) =>
        band.lines.map((line) =>
          named || band.layer === null
            ? label(line.part, margin.left - LABEL_GAP, line.y + line.height / 2, line === pointed)
            : null,
        ),
      )}
    </g>
  );
}
