/** The prompt as the model reads it, and the answers, edited in place. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Choice } from "../lib/choice";
import { FindBox } from "../lib/find-box";
import { Frame, needsModel } from "../lib/frame";
import { FlatLegend } from "../lib/legend";
import { Menu } from "../lib/menu";
import type { Picture } from "../lib/picture";
import type { Header, SelectionState, SharedTraits } from "../lib/state";
import { startView, type View } from "../lib/view";
import {
  type Changes,
  changesOf,
  type Edit,
  type Fields,
  fieldsOf,
  type Inputs,
  type Refused,
  type Typed,
} from "./token_strip/edit";
import { Editor, holdsKeyboard } from "./token_strip/editor";
import { Facts, sentence } from "./token_strip/facts";
import { InForce } from "./token_strip/in_force";
import type { Spot } from "./token_strip/spot";
import { isLong, Strip } from "./token_strip/strip";
import { EFFECT, tintOf } from "./token_strip/tint";
import "./token_strip.css";

/** The synced traits of `src/residscope/views/token_strip.py`. */
type Model = SharedTraits & { colour: string; _edit: Edit | null; _refused: Refused | null };

type Preset = { name: string; prompt: string; answers: [right: string, wrong: string] };

type Info = {
  /** Null where the tokens are arrays. */
  inputs: Inputs | null;
  presets: Preset[];
  /** What tints the tokens. */
  called: string;
  colour: string;
  unit: string;
  refused: string | null;
};

const COLOURS = ["none", EFFECT];

const NO_INPUTS: Inputs = { prompts: [], answers: null, prefills: null, own: false };

const HELP = [
  "These are the tokens that the model reads, in order. · is a space at a token's edge and ⏎ a newline. " +
    "Small capitals mark special tokens; grey marks what a chat template added. The flag marks where the " +
    "target is read: every view explains what the model predicts there.",
  "The colour can show what the selected head moves from each token to where the target is read, or what " +
    "all heads move when none is selected. It is in the target's unit, and positive pushes towards the " +
    "right answer. This is the direct path alone: the residual stream at a token may also hold what " +
    "earlier layers put there.",
  "Click a token to select its position in every view. Click it again to go back to where the target " +
    "is read.",
  "To edit, press the button or e, or double-click. Enter runs, Shift+Enter starts a new line, Escape " +
    "cancels. In a chat you edit the last user message and the beginning of the reply. With one answer, " +
    "its log-probability is explained; with none, the model's top token against its second.",
];

function TokenStrip({ view }: { view: View<Model> }): JSX.Element {
  const picture = view.picture.value;
  const run = picture?.run;
  const { row, position } = view.selection.value;
  const rows = run?.rows.length ?? 0;
  const shown = rows === 1 ? 0 : row !== null && row < rows ? row : null;
  const facts = run?.model;
  return (
    <div class="rs-strip-view">
      <Frame
        view={view}
        title="Prompt"
        what={run ? lengthWords(run) : ""}
        meta={facts && `${facts.name} · ${facts.dtype} · ${facts.processing} · ${facts.bos}`}
        help={HELP}
        history
        sentence={run ? sentence(run, shown, position) : ""}
        notice={run && notInRun(run, view.selection.value)}
        empty="Nothing has been computed yet."
      >
        {picture && <Prompts view={view} picture={picture} row={shown} />}
      </Frame>
    </div>
  );
}

function movedBy(whose: string): string {
  return `what ${whose} move${whose === "all heads" ? "" : "s"} from each token to where the target is read`;
}

function lengthWords({ rows }: Header): string {
  const lengths = rows.map(({ ids }) => ids.length);
  return rows.length === 1 ? `${lengths[0]} tokens` : `${rows.length} prompts`;
}

/** Why what is selected cannot be shown, or null. */
function notInRun({ rows }: Header, { row, position }: SelectionState): string | null {
  if (row !== null && row >= rows.length) {
    return `Prompt ${row} is not in this run, which has ${rows.length}.`;
  }
  const length = rows[row ?? 0]?.ids.length ?? 0;
  if (position === null || position < length) return null;
  return `Position ${position} is not in this run, whose prompt has ${length} tokens.`;
}

type Props = { view: View<Model>; picture: Picture; row: number | null };

/** An edit on its way: which one, and the run that it is to replace. */
type Sent = { id: number; run: number };

function Prompts({ view, picture, row }: Props): JSX.Element {
  const { run, payload } = picture;
  const { inputs: asked, presets, unit, called, refused: unsplit } = payload.info as Info;
  const inputs = asked ?? NO_INPUTS;
  const theme = view.theme.value;
  const { position } = view.selection.value;
  const tinted = payload.names.includes("sources");
  const head = tinted ? view.selection.value.head : null;
  const tint = useMemo(
    () => (tinted ? tintOf(payload.floats("sources"), head, { unit, called }, theme) : null),
    [payload, head, theme],
  );
  const [typed, setTyped] = useState<Typed | null>(null);
  const [sent, setSent] = useState<Sent | null>(null);
  const strip = useRef<HTMLDivElement>(null);
  const editor = useRef<HTMLDivElement>(null);
  const toStrip = useRef(false);
  const several = run.rows.length > 1;
  const shownRow = row ?? 0;
  const needs = needsModel(view);
  const refused = view.trait("_refused").value;
  const refusal = sent && refused?.id === sent.id ? refused : null;
  const failed = sent !== null && (view.status.value._error?.run ?? 0) > sent.run;
  const waiting = sent !== null && !refusal && !failed;

  const close = () => {
    toStrip.current = holdsKeyboard(editor.current);
    setTyped(null);
    setSent(null);
  };
  const send = (changes: Changes) => {
    const id = (view.model.get("_edit")?.id ?? 0) + 1;
    view.model.set("_edit", { id, ...changes });
    view.model.save_changes();
    setSent({ id, run: run.number });
  };
  const submit = () => {
    if (!typed || waiting) return;
    const changes = changesOf(inputs, typed);
    if (changes) send(changes);
    else close();
  };

  useEffect(() => {
    // A newer run answers the edit, even if something else asked for it.
    if (sent && !refusal && run.number > sent.run) close();
  });
  useLayoutEffect(() => {
    if (typed || !toStrip.current) return;
    toStrip.current = false;
    strip.current?.focus();
  }, [typed]);

  const type = (at: number, field: keyof Fields, text: string) => {
    // What is typed after an edit was sent is a new edit.
    setSent(null);
    setTyped({ ...typed, [at]: { ...typed?.[at], [field]: text } });
  };
  const select = (spot: Spot) => {
    if (spot.position === null) return view.select({ row: spot.row });
    const ringed =
      spot.row === shownRow && spot.position === (position ?? run.rows[spot.row]?.target_position);
    const patch: Partial<SelectionState> = { position: ringed ? null : spot.position };
    if (spot.row !== shownRow) patch.row = spot.row;
    view.select(patch);
  };
  const choose = ({ prompt, answers }: Preset) => {
    setTyped(null);
    send({ prompts: [prompt], answers: [answers] });
  };

  return (
    <>
      {typed ? (
        <Editor
          holder={editor}
          fields={fieldsOf(inputs, typed)}
          refusal={refusal}
          waiting={waiting}
          onType={type}
          onRun={submit}
          onCancel={close}
          onLeave={() => !sent && changesOf(inputs, typed) && submit()}
        />
      ) : (
        <Strip
          run={run}
          row={shownRow}
          position={position ?? run.rows[shownRow]?.target_position ?? 0}
          chosenRow={row}
          tint={tint}
          theme={theme}
          width={view.width.value}
          holder={strip}
          onSelect={select}
          onEdit={needs.disabled ? undefined : () => setTyped({})}
        />
      )}
      {tint && (
        <p class="rs-soft">
          <FlatLegend scale={tint.scale} />{" "}
          {[unit, asked ? movedBy(tint.whose) : called].filter(Boolean).join(" · ")}
        </p>
      )}
      {unsplit && <p class="rs-soft">{unsplit}</p>}
      <div class="rs-strip-foot">
        {asked && <Facts run={run} row={row} own={asked.own} />}
        <InForce view={view} run={run} />
        <div class="rs-strip-buttons">
          {isLong(run) && (
            <FindBox
              run={run}
              row={shownRow}
              position={position ?? run.rows[shownRow]?.target_position ?? 0}
              onFind={(found) => view.select({ position: found })}
            />
          )}
          {asked && <Choice view={view} trait="colour" label="colour" options={COLOURS} />}
          {several && (
            <button
              type="button"
              class="rs-button"
              aria-pressed={row === null}
              onClick={() => view.select({ row: null })}
            >
              mean
            </button>
          )}
          {presets.length > 0 && (
            <Menu
              name="examples"
              actions={presets.map((preset) => ({ label: preset.name, run: () => choose(preset) }))}
              {...needs}
            />
          )}
          {asked && (
            <button
              type="button"
              class="rs-button"
              {...needs}
              disabled={needs.disabled || typed !== null}
              onClick={() => setTyped({})}
            >
              edit
            </button>
          )}
        </div>
      </div>
      {refusal && !typed && (
        <p class="rs-error" role="alert">
          {refusal.message}
        </p>
      )}
      {run.warnings.map((warning) => (
        <p class="rs-warning" key={warning}>
          {warning}
        </p>
      ))}
    </>
  );
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <TokenStrip view={view} />);
}

export default { render };
