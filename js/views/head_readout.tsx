/** One head on one card: where it looks, what it writes, what it adds to the target, what kind it is. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Frame, needsModel } from "../lib/frame";
import { isOff } from "../lib/interventions";
import { useLate } from "../lib/late";
import { pinActions } from "../lib/pins";
import { strong, token } from "../lib/sentence";
import { headName, type SharedTraits } from "../lib/state";
import { targetOf } from "../lib/target";
import { tokenAt, tokenName } from "../lib/tokens";
import { startView, type View } from "../lib/view";
import { cardKey, type Sent, type Wanted } from "./head_readout/card";
import { Causal } from "./head_readout/causal";
import { Lists } from "./head_readout/lists";
import { sentence } from "./head_readout/words";
import "./head_readout.css";

/** The synced traits of `src/residscope/views/head_readout.py`. */
type Model = SharedTraits;

const HELP = [
  "Looks at: the tokens that the head attends to most from the selected position.",
  "Promotes and suppresses: what the head's output there adds to the logit of each token, minus the mean over " +
    "all tokens. The output goes through the model's final norm (with its scale there held fixed) and the " +
    "unembedding. This is the direct path alone: later layers also read it and may change what comes of it.",
  "Direct effect: what the head adds to the target, always where the target is read. Its rank among all heads is " +
    "by size.",
  "Head scores: how much attention, from 0 to 1, the head pays in this prompt to what an induction, " +
    "previous-token or duplicate-token head looks at. One prompt says little about what a head does elsewhere: " +
    "compare with random repeats in Heads.",
];

const NO_TEXTS: Sent["texts"] = {};

function HeadReadout({ view }: { view: View<Model> }): JSX.Element {
  const picture = view.picture.value;
  const run = picture?.run;
  const { head, row: wantedRow, position } = view.selection.value;
  const row = wantedRow ?? 0;
  const prompt = run?.rows[row];
  const at = position ?? prompt?.target_position ?? 0;
  const inRun = Boolean(head && run && head[0] < run.n_layers && head[1] < run.n_heads);
  const wanted: Wanted | null =
    inRun && prompt && at < prompt.ids.length
      ? { run: run!.number, row, head: head!, position: at }
      : null;
  const key = wanted && cardKey(wanted);
  const answer = wanted && view.ask.get(wanted.run, key!);
  useEffect(() => {
    if (wanted) view.ask.want(wanted.run, [key!]);
  }, [wanted?.run, key]);
  const card = answer && !answer.error ? (answer.info as Sent).card : null;
  // What was on it stays in sight, dimmed, until the next one is here.
  const last = useRef<(Sent & { run: number }) | null>(null);
  if (card) last.current = { ...(answer!.info as Sent), run: run!.number };
  const known = last.current?.run === run?.number ? last.current : null;
  const late = useLate(wanted && !answer ? key : null);

  const notice = (): string | null => {
    if (!run) return null;
    if (!prompt) return `Prompt ${row} is not in this run, which has ${run.rows.length}.`;
    if (!head) return 'Select a head: click one in Heads, or exp.selection.update(head="2.5")';
    const name = headName(head);
    if (!inRun) {
      return `${name} is not in this run, which has ${run.n_layers} layers of ${run.n_heads} heads.`;
    }
    if (!wanted) {
      return `Position ${at} is not in this prompt, which has ${prompt.ids.length} tokens.`;
    }
    if (card) return null;
    if (answer?.error) return answer.error;
    if (view.unasked.value) return `${name} needs a kernel: open the notebook to see it.`;
    return late ? `${name} is waiting for the kernel.` : " ";
  };
  const shown = answer?.error ? null : (card ?? known?.card ?? null);
  const texts = known?.texts ?? NO_TEXTS;
  const lists = useMemo(() => {
    const prompt = shown && run?.rows[shown.row];
    return (
      prompt && (
        <Lists
          card={shown}
          row={prompt}
          unit={prompt.target.unit}
          heads={run.n_layers * run.n_heads}
          nameAt={(place) => tokenAt(run, shown.row, place)}
          name={(id) => tokenName(run, id, texts)}
          onKey={(key) => view.select({ key })}
        />
      )
    );
  }, [shown, run, texts, view]);
  return (
    <Frame
      view={view}
      title="Head"
      what={
        wanted && run
          ? [strong(headName(wanted.head)), " at ", token(tokenAt(run, row, at)), ` (${at})`]
          : ""
      }
      help={HELP}
      actions={pinActions(view, head)}
      sentence={card && run ? sentence(run, card, targetOf(run.rows, row), texts) : ""}
      notice={notice()}
    >
      {wanted && run?.model && (
        <button
          type="button"
          class="rs-button rs-switch-head"
          {...needsModel(view)}
          onClick={() => view.intervene({ do: "switch", parts: [headName(wanted.head)] })}
        >
          {isOff(run, headName(wanted.head)) ? "switch on" : "switch off"}
        </button>
      )}
      {wanted && run?.model && prompt && !isOff(run, headName(wanted.head)) && (
        <Causal
          view={view}
          run={run.number}
          row={row}
          head={wanted.head}
          direct={card?.effect ?? null}
          unit={prompt.target.unit}
        />
      )}
      {lists && <div class={card ? "rs-readout" : "rs-readout rs-old"}>{lists}</div>}
    </Frame>
  );
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <HeadReadout view={view} />);
}

export default { render };
