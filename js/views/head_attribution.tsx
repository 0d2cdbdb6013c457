/** What each head adds directly to the target, or how it behaves: a map of layers by heads. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Choice } from "../lib/choice";
import { largest, type Scale, sequentialScale, signedScale } from "../lib/colour";
import { Frame } from "../lib/frame";
import type { Cell } from "../lib/grid";
import { Heatmap, type Ring } from "../lib/heatmap";
import { Legend } from "../lib/legend";
import { inUnit, number, precise, preciseSigned, signed, titleUnit } from "../lib/number";
import { type Diverging, positiveName } from "../lib/palette";
import type { Picture } from "../lib/picture";
import { PinsSaid } from "../lib/pins-said";
import { type CheckInfo, checkOf, chosenRow, meanWords, missingRow } from "../lib/rows";
import { type Part, plain, Say } from "../lib/sentence";
import { type Head, headName, parseHead, type SharedTraits, togglePin } from "../lib/state";
import { type TargetWords, targetOf } from "../lib/target";
import type { Theme } from "../lib/theme";
import { startView, type View } from "../lib/view";
import type { Tensor } from "../lib/wire";
import {
  type Effects,
  effectsOf,
  notInRun,
  type Ranked,
  sentence,
  topHeads,
} from "./head_attribution/effects";
import { KINDS, MEASURED_ON, notMeasured, scoreSentence } from "./head_attribution/scores";
import "./head_attribution.css";

/** The synced traits of `src/residscope/views/head_attribution.py`. */
type Model = SharedTraits & { colour: string; scores_on: string };

/** `heads_total` has one sum over all heads per row. */
type Info = {
  check: CheckInfo[];
  heads_total: number[];
  unit: string;
  colour: string;
  scores_on: string;
};

const LISTED = 3;
const LIST_WIDTH = 150;
const EFFECT = "direct effect";

const HELP = [
  "Each cell is what one head writes into the residual stream at the position where the target " +
    "is read, projected on the target's direction after the final norm (its scale held fixed): " +
    "direct logit attribution. It leaves out what the head does through later layers.",
  "All parts of the model (embeddings, heads, biases, MLPs, norm) add up to the target; the " +
    "sum in the title row is that check.",
  "Instead of effects the colours can show head scores, from 0 to 1: the attention that a head pays " +
    "to the token before (previous token), to earlier occurrences of the same token (duplicate token), " +
    "or to what followed them (induction), averaged over the tokens that have any; on this prompt, or " +
    "on random tokens that come twice. A score says where a head looks, not that it matters here.",
  "Click a head to select it everywhere. Shift-click, or the key p, pins it. Arrow keys move, " +
    "Enter selects, Escape lets go.",
];

function HeadAttribution({ view }: { view: View<Model> }): JSX.Element {
  const [palette, setPalette] = useState<Diverging>("RdBu");
  const picture = view.picture.value;
  const other = palette === "RdBu" ? "PuOr" : "RdBu";
  const sent = useMemo(() => picture && read(picture), [picture]);
  const { row: wanted, head } = view.selection.value;
  const theme = view.theme.value;
  const rows = picture?.run.rows ?? [];
  const row = chosenRow(wanted, rows.length);
  const target = targetOf(rows, row);
  const shown = useMemo(
    () => sent && (sent.scores ? scoreMap(sent, row) : effectMap(sent, row, target, palette)),
    [sent, row, palette],
  );
  const scale = useMemo(() => shown?.scale(theme), [shown, theme]);
  const name = `${positiveName(other).toLowerCase()} for positive`;

  return (
    <Frame
      view={view}
      title="Heads"
      what={shown?.what ?? ""}
      meta={shown?.meant}
      check={sent && checkOf(sent.info.check, row)}
      help={HELP}
      actions={[{ label: `Colours: ${name}`, run: () => setPalette(other) }]}
      sentence={shown ? shown.sentence(head) : ""}
      notice={
        missingRow(wanted, rows.length) ??
        (shown && (notInRun(shown.numbers, head) ?? shown.notice))
      }
    >
      <div class="rs-controls">
        <Choice view={view} trait="colour" label="colour" options={[EFFECT, ...KINDS]} />
        {view.trait("colour").value !== EFFECT && (
          <Choice view={view} trait="scores_on" label="measured on" options={MEASURED_ON} />
        )}
      </div>
      {shown && scale && <NumberMap view={view} shown={shown} scale={scale} />}
    </Frame>
  );
}

/** Numbers of heads, and how they are drawn and said. */
type Shown = {
  numbers: Effects;
  /** What the numbers are called, and their unit, in the map's own words. */
  called: string;
  unit: string;
  what: Part[];
  /** Over how many prompts it is the mean, or nothing. */
  meant: string;
  lists: { words: Part[]; heads: Ranked[] }[];
  scale(theme: Theme): Scale;
  /** A number in the tooltip and in a list. */
  tip(value: number): string;
  listed(value: number): string;
  sentence(head: Head | null): Part[];
  notice: string | null;
};

function effectMap(sent: Sent, row: number | null, target: TargetWords, palette: Diverging): Shown {
  const numbers = effectsOf(sent.values, row);
  const totals = sent.info.heads_total;
  const total = row === null ? mean(totals) : (totals[row] ?? Number.NaN);
  const tops = topHeads(numbers, LISTED);
  const arrays = Number.isNaN(target.value);
  return {
    numbers,
    called: arrays ? plain(target.name) : EFFECT,
    unit: target.unit,
    what: [arrays ? "" : "direct effect on ", ...target.name, titleUnit(target.unit)],
    meant: meanWords(sent.values, row),
    lists: [
      { words: arrays ? ["highest"] : towards(target, true), heads: tops.towards },
      { words: arrays ? ["lowest"] : towards(target, false), heads: tops.against },
    ],
    scale: (theme) => signedScale(largest(numbers.values), theme, palette),
    tip: preciseSigned,
    listed: signed,
    sentence: (head) => sentence(numbers, head, total, target, palette),
    notice: null,
  };
}

function scoreMap({ scores, info }: Sent, row: number | null): Shown {
  const { colour: kind, scores_on: on } = info;
  // Random repeats are measured once for all prompts.
  const ofAllPrompts = scores!.shape[0] === 1;
  const numbers = effectsOf(scores!, ofAllPrompts ? 0 : row);
  return {
    numbers,
    called: `${kind} score`,
    unit: "of 1",
    what: [`${kind} score on ${on} · 0 to 1`],
    meant: meanWords(scores!, row),
    lists: [{ words: [`most like ${kind}`], heads: topHeads(numbers, 2 * LISTED).towards }],
    scale: (theme) => sequentialScale(1, theme),
    tip: precise,
    listed: number,
    sentence: (head) => scoreSentence(numbers, head, kind, on),
    notice: notMeasured(numbers, kind),
  };
}

type MapProps = { view: View<Model>; shown: Shown; scale: Scale };

function NumberMap({ view, shown, scale }: MapProps): JSX.Element {
  const theme = view.theme.value;
  const { head, pinned } = view.selection.value;
  const { numbers, unit, tip, called } = shown;
  const cells = useMemo(() => {
    const { heads, values } = numbers;
    return { scale, value: (layer: number, one: number) => values[layer * heads + one]! };
  }, [numbers, scale]);
  const inRun = (one: Head) => one[0] < numbers.layers && one[1] < numbers.heads;
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
        name={`${called} of each head, ${numbers.layers} layers by ${numbers.heads} heads`}
        rows={numbers.layers}
        cols={numbers.heads}
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
            <b>{headName([row, col])}</b> {inUnit(tip(cells.value(row, col)), unit)}
          </>
        )}
        speak={({ row, col }: Cell) =>
          `layer ${row}, head ${col}: ${inUnit(precise(cells.value(row, col)), unit)}`
        }
        onSelect={({ row, col }, { pin }) => select([row, col], pin)}
        legend={(height) => <Legend scale={cells.scale} height={height} />}
      />
      <PinsSaid pinned={pinned} />
      <div class={wide ? "rs-head-lists" : "rs-head-lists rs-below"}>
        {shown.lists.map(({ words, heads }) => (
          <HeadList
            key={plain(words)}
            words={words}
            heads={heads}
            written={shown.listed}
            chosen={chosen}
            select={select}
          />
        ))}
      </div>
    </div>
  );
}

type ListProps = {
  words: Part[];
  heads: Ranked[];
  written(value: number): string;
  chosen: Head | null;
  select(head: Head, pin: boolean): void;
};

function HeadList({ words, heads, written, chosen, select }: ListProps): JSX.Element {
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
            <span class="rs-number">{written(value)}</span>
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

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

type Sent = { values: Tensor; scores: Tensor | null; info: Info };

function read({ payload }: Picture): Sent {
  const scores = payload.names.includes("scores") ? payload.floats("scores") : null;
  return { values: payload.floats("values"), scores, info: payload.info as Info };
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <HeadAttribution view={view} />);
}

export default { render };
