/** Views of quantities: each is drawn as its axes say, linked by their names. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import * as words from "../../src/residscope/data/words.json";
import { type BlockProps, scaleOf } from "../lib/blocks/block";
import { ChipsBlock } from "../lib/blocks/chips";
import { BarsBlock, spokenPart } from "../lib/blocks/component-bars";
import { CurveBlock } from "../lib/blocks/curve";
import { MapBlock } from "../lib/blocks/map";
import { TableBlock } from "../lib/blocks/table";
import { Choice } from "../lib/choice";
import { FindBox } from "../lib/find-box";
import { Frame, needsModel } from "../lib/frame";
import type { Action } from "../lib/menu";
import { type Diverging, positiveName } from "../lib/palette";
import type { Picture } from "../lib/picture";
import { PinsSaid } from "../lib/pins-said";
import {
  alongTokens,
  type Block,
  chosenAt,
  hasRows,
  indexOf,
  notInRun,
  quantitiesOf,
  type Shown,
  shownOf,
} from "../lib/quantity";
import { ranked, sentence, whatWords } from "../lib/quantity-words";
import { checkOf, chosenRow, meanWords, missingRow } from "../lib/rows";
import { type Part, plain, Say } from "../lib/sentence";
import { ShowSwitch } from "../lib/show-switch";
import type { Header, SelectionState, SharedTraits } from "../lib/state";
import { type TargetWords, targetOf } from "../lib/target";
import { startView, type View } from "../lib/view";
import { filled } from "../lib/words";
import "../lib/blocks/blocks.css";

/** The synced traits of `src/residscope/views/base.py`; a class adds those that its menus name. */
type Model = SharedTraits;

const BLOCKS: Record<Block, (props: BlockProps) => JSX.Element> = {
  map: MapBlock,
  bars: BarsBlock,
  curve: CurveBlock,
  chips: ChipsBlock,
  table: TableBlock,
};

/** From how many tokens on a text is searched for and not seen. */
const LONG = 60;

function Quantities({ view }: { view: View<Model> }): JSX.Element {
  const [palette, setPalette] = useState<Diverging>("RdBu");
  const picture = view.picture.value;
  const run = picture?.run;
  const { title = "", help = [], menus = [] } = view.trait("_about").value;
  const sent = useMemo(() => (picture ? quantitiesOf(picture.payload) : []), [picture]);
  const selection = view.selection.value;
  const shown = useMemo(
    () => (run ? shownOf(sent, selection, run) : []),
    [sent, run, selection.row, selection.show],
  );
  const theme = view.theme.value;
  const scales = useMemo(
    () => shown.map((one) => scaleOf(one, theme, palette)),
    [shown, theme, palette],
  );
  const rows = run?.rows.length ?? 0;
  const row = chosenRow(selection.row, rows);
  const target = useMemo(() => targetOf(run?.rows ?? [], row), [run, row]);
  const words = shown.map((one) => whatWords(one, target));
  const several = shown.length > 1;
  const checked = sent.find(({ checks }) => checks.length > 0);
  const other = palette === "RdBu" ? "PuOr" : "RdBu";
  const actions: Action[] = shown.some((one) => one.signed)
    ? [
        {
          label: `Colours: ${positiveName(other).toLowerCase()} for positive`,
          run: () => setPalette(other),
        },
      ]
    : [];
  const onSwitch = needsModel(view).disabled
    ? undefined
    : (part: string) => view.intervene({ do: "switch", parts: [part] });
  const along = sent.some(alongTokens);
  const length = run?.rows[row ?? 0]?.ids.length ?? 0;
  const outside = shown.map((one) => notInRun(one, selection)).find((said) => said !== null);
  const said = (one: Shown) =>
    run ? sentence(spokenOf(one, selection, { target, palette, run })) : [];

  return (
    <Frame
      view={view}
      title={title}
      what={several ? "" : (words[0] ?? "")}
      meta={picture && metaWords(picture, sent, shown)}
      check={checked && checkOf(checked.checks, row)}
      help={help}
      actions={actions}
      sentence={joined(shown.map(said))}
      notice={missingRow(selection.row, rows) ?? outside ?? blankWords(shown)}
    >
      <div class="rs-controls">
        {menus
          .filter(({ unless }) => !unless?.slice(1).includes(choiceOf(view, unless[0]!)))
          .map(({ trait, label, options }) => (
            <Choice key={trait} view={view} trait={trait} label={label} options={options} />
          ))}
        {sent.some(({ before }) => before) && <ShowSwitch {...view} />}
        {run && along && length > LONG && (
          <FindBox
            run={run}
            row={row ?? 0}
            position={selection.position ?? run.rows[row ?? 0]!.target_position}
            onFind={(position) => view.select({ position })}
          />
        )}
      </div>
      <PinsSaid pinned={selection.pinned} />
      {run &&
        shown.map((one, i) => {
          const Drawn = BLOCKS[one.block];
          return (
            <figure class="rs-block" key={`${i} ${one.of.name}`}>
              {several && (
                <figcaption>
                  <Say words={words[i]!} />
                </figcaption>
              )}
              <Drawn
                shown={one}
                run={run}
                theme={theme}
                scale={scales[i]!}
                target={target}
                selection={selection}
                available={view.width.value}
                select={view.select}
                onSwitch={onSwitch}
              />
            </figure>
          );
        })}
    </Frame>
  );
}

/** What stands of a quantity in the sentence: the cell that is selected, or pinned last, with its number. */
function spokenOf(
  shown: Shown,
  selection: SelectionState,
  rest: { target: TargetWords; palette: Diverging; run: Header },
) {
  const names = shown.of.coords.component;
  const pin = names && shown.dims.length === 1 ? spokenPart(names, selection.pinned) : null;
  const chosen = pin === null ? chosenAt(shown, selection, rest.run) : [pin];
  const at = chosen.every((one) => one !== null) ? chosen : null;
  const value = at ? shown.values[indexOf(shown, at)]! : Number.NaN;
  return { shown, at: Number.isNaN(value) ? null : at, value, cells: ranked(shown), ...rest };
}

function joined(sentences: Part[][]): Part[] {
  return sentences.flatMap((words, i): Part[] => (i > 0 && plain(words) ? [" ", ...words] : words));
}

/** Over how many prompts means go, and which prompt is shown where there is no mean. */
function metaWords(
  { run }: Picture,
  sent: ReturnType<typeof quantitiesOf>,
  shown: Shown[],
): string {
  const means = sent
    .filter((one, i) => hasRows(one) && !alongTokens(one) && shown[i]!.row === null)
    .map((one) => meanWords(one.values, null));
  const one = shown.find(({ of }) => alongTokens(of) && hasRows(of));
  const prompt =
    one && run.rows.length > 1
      ? filled(words.one_prompt, { row: one.row ?? 0, all: run.rows.length })
      : "";
  return [...new Set([...means, prompt])].filter(Boolean).join(" · ");
}

/** Why nothing has a number, or null. */
function blankWords(shown: Shown[]): string | null {
  const isBlank = ({ values }: Shown) => values.every((value) => Number.isNaN(value));
  if (shown.length === 0 || !shown.every(isBlank)) return null;
  return shown.map(({ of }) => of.blank).find(Boolean) ?? "There are no numbers here.";
}

function choiceOf(view: View<Model>, trait: string): string {
  return String(view.trait(trait as keyof Model).value);
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <Quantities view={view} />);
}

export default { render };
