/** What each head adds directly to the target: a map of layers by heads. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { largest, signedScale } from "../lib/colour";
import { Frame } from "../lib/frame";
import type { Cell } from "../lib/grid";
import { Heatmap, type Ring } from "../lib/heatmap";
import { Legend } from "../lib/legend";
import { precise, preciseSigned, signed } from "../lib/number";
import { type Diverging, POSITIVE_NAME } from "../lib/palette";
import type { Picture } from "../lib/picture";
import { type CheckInfo, checkOf, chosenRow, missingRow, rowOrMean } from "../lib/rows";
import { type Part, Say, strong } from "../lib/sentence";
import { type Head, headName, parseHead, type SharedTraits, togglePin } from "../lib/state";
import { ofTarget, type TargetWords, targetOf } from "../lib/target";
import { startView, type View } from "../lib/view";
import type { Tensor } from "../lib/wire";
import "./head_attribution.css";

/** The synced traits of `src/residscope/views/head_attribution.py`. */
type Model = SharedTraits & { colour: string; scores_on: string };

/** `heads_total` has one sum over all heads per row. */
type Info = { check: CheckInfo[]; heads_total: number[]; unit: string };

/** The heads' effects on one row, or their mean over rows: [layer head], flat. */
export type Effects = { layers: number; heads: number; values: Float32Array };

export type Ranked = { head: Head; value: number };

const LISTED = 3;
const LIST_WIDTH = 150;

const HELP = [
  "Each cell is what one head writes into the residual stream at the position where the target " +
    "is read, projected on the target's direction after the final norm (its scale held fixed): " +
    "direct logit attribution. It leaves out what the head does through later layers.",
  "All parts of the model (embeddings, heads, biases, MLPs, norm) add up to the target; the " +
    "sum in the title row is that check.",
  "Click a head to select it everywhere. Shift-click, or the key p, pins it. Arrow keys move, " +
    "Enter selects, Escape leaves.",
];

/** Take one row of `values` [row layer head], or the mean over rows when `row` is null. */
export function effectsOf(tensor: Tensor, row: number | null): Effects {
  const [, layers = 0, heads = 0] = tensor.shape;
  return { layers, heads, values: rowOrMean(tensor, row) };
}

/** The heads that push most to either side, strongest first. */
export function topHeads({ heads, values }: Effects, count: number) {
  const ranked = Array.from(values, (value, i): Ranked => {
    return { head: [Math.floor(i / heads), i % heads], value };
  }).filter(({ value }) => !Number.isNaN(value));
  ranked.sort((a, b) => b.value - a.value);
  return {
    towards: ranked.filter(({ value }) => value > 0).slice(0, count),
    against: ranked
      .filter(({ value }) => value < 0)
      .slice(-count)
      .reverse(),
  };
}

export function sentence(
  effects: Effects,
  head: Head | null,
  total: number,
  target: TargetWords,
  palette: Diverging,
): Part[] {
  const together =
    target.rows.length > 1 ? "all heads together, on average, " : "all heads together ";
  const colours: Part[] = [`. ${POSITIVE_NAME[palette]} pushes towards `, target.right, "."];
  const value = head ? valueAt(effects, head) : Number.NaN;
  if (head && !Number.isNaN(value)) {
    const adds: Part[] = [strong(headName(head)), " adds ", strong(signed(value)), " "];
    return [...adds, ...ofTarget(target), `; ${together}${signed(total)}`, ...colours];
  }
  const [strongest] = topHeads(effects, 1).towards;
  const most = strongest
    ? `, most from ${headName(strongest.head)} (${signed(strongest.value)})`
    : "";
  const all: Part[] = ["All heads together add ", strong(signed(total)), " "];
  return [...all, ...ofTarget(target), most, ...colours];
}

/** Why what is selected cannot be shown, or null. */
export function notInRun(effects: Effects, head: Head | null) {
  if (!head || (head[0] < effects.layers && head[1] < effects.heads)) return null;
  const size = `${effects.layers} layers of ${effects.heads} heads`;
  return `${headName(head)} is not in this run, which has ${size}.`;
}

function valueAt({ layers, heads, values }: Effects, [layer, head]: Head): number {
  return layer < layers && head < heads ? values[layer * heads + head]! : Number.NaN;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function HeadAttribution({ view }: { view: View<Model> }): JSX.Element {
  const [palette, setPalette] = useState<Diverging>("RdBu");
  const picture = view.picture.value;
  const other = palette === "RdBu" ? "PuOr" : "RdBu";
  const shown = useMemo(() => picture && read(picture), [picture]);
  const { row: wanted, head } = view.selection.value;
  const rows = picture?.run.rows ?? [];
  const row = chosenRow(wanted, rows.length);
  const effects = useMemo(() => shown && effectsOf(shown.values, row), [shown, row]);
  const target = targetOf(rows, row);
  const totals = shown?.info.heads_total ?? [];
  const total = row === null ? mean(totals) : (totals[row] ?? Number.NaN);
  const name = `${POSITIVE_NAME[other].toLowerCase()} for positive`;

  return (
    <Frame
      view={view}
      title="Heads"
      what={["direct effect on ", ...target.name, ` · ${target.unit}`]}
      meta={row === null && rows.length > 1 && `mean of ${rows.length} prompts`}
      check={shown && checkOf(shown.info.check, row)}
      help={HELP}
      actions={[{ label: `Colours: ${name}`, run: () => setPalette(other) }]}
      sentence={effects ? sentence(effects, head, total, target, palette) : ""}
      notice={missingRow(wanted, rows.length) ?? (effects && notInRun(effects, head))}
    >
      {effects && <EffectMap view={view} effects={effects} target={target} palette={palette} />}
    </Frame>
  );
}

type MapProps = {
  view: View<Model>;
  effects: Effects;
  target: TargetWords;
  palette: Diverging;
};

function EffectMap({ view, effects, target, palette }: MapProps): JSX.Element {
  const theme = view.theme.value;
  const { head, pinned } = view.selection.value;
  const cells = useMemo(() => {
    const { heads, values } = effects;
    const scale = signedScale(largest(values), theme, palette);
    return { scale, value: (layer: number, one: number) => values[layer * heads + one]! };
  }, [effects, theme, palette]);
  const tops = useMemo(() => topHeads(effects, LISTED), [effects]);
  const inRun = (one: Head) => one[0] < effects.layers && one[1] < effects.heads;
  const ring = ([row, col]: Head, kind: Ring["kind"]): Ring => ({ row, col, kind });
  const pins = pinned.map(parseHead).filter((one): one is Head => one !== null && inRun(one));
  const chosen = head && inRun(head) ? head : null;
  const select = (one: Head, pin: boolean) => {
    view.select(pin ? { pinned: togglePin(pinned, headName(one)) } : { head: one });
  };
  const wide = view.width.value > 420;

  return (
    <div class="rs-side-by-side">
      <Heatmap
        name={`direct effect of each head, ${effects.layers} layers by ${effects.heads} heads`}
        rows={effects.layers}
        cols={effects.heads}
        cells={cells}
        rowLabel={layerLabel}
        colLabel={String}
        upward
        theme={theme}
        available={Math.max(120, view.width.value - 64 - (wide ? LIST_WIDTH : 0))}
        rings={[
          ...pins.map((one) => ring(one, "pinned")),
          ...(chosen ? [ring(chosen, "selected")] : []),
        ]}
        start={chosen && { row: chosen[0], col: chosen[1] }}
        tooltip={({ row, col }) => (
          <>
            <b>{headName([row, col])}</b> {preciseSigned(cells.value(row, col))} {target.unit}
          </>
        )}
        speak={({ row, col }: Cell) =>
          `layer ${row}, head ${col}: ${precise(cells.value(row, col))} ${target.unit}`
        }
        onSelect={({ row, col }, { pin }) => select([row, col], pin)}
        legend={(height) => <Legend scale={cells.scale} height={height} />}
      />
      <div class="rs-head-lists">
        <HeadList
          words={towards(target, true)}
          heads={tops.towards}
          chosen={chosen}
          select={select}
        />
        <HeadList
          words={towards(target, false)}
          heads={tops.against}
          chosen={chosen}
          select={select}
        />
      </div>
    </div>
  );
}

type ListProps = {
  words: Part[];
  heads: Ranked[];
  chosen: Head | null;
  select(head: Head, pin: boolean): void;
};

function HeadList({ words, heads, chosen, select }: ListProps): JSX.Element {
  return (
    <div>
      <p class="rs-soft">
        <Say words={words} />
      </p>
      {heads.map(({ head, value }) => {
        const name = headName(head);
        return (
          <button
            key={name}
            type="button"
            aria-pressed={chosen !== null && headName(chosen) === name}
            onClick={(event) => select(head, event.shiftKey)}
          >
            <span>{name}</span>
            <span class="rs-number">{signed(value)}</span>
          </button>
        );
      })}
      {heads.length === 0 && <p class="rs-soft">none</p>}
    </div>
  );
}

function towards({ right, wrong }: TargetWords, positive: boolean): Part[] {
  if (positive) return ["towards ", right];
  return wrong ? ["towards ", wrong] : ["away from ", right];
}

function layerLabel(layer: number): string {
  return `L${layer}`;
}

function read({ payload }: Picture): { values: Tensor; info: Info } {
  return { values: payload.floats("values"), info: payload.info as Info };
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <HeadAttribution view={view} />);
}

export default { render };
