/** Where heads look: the selected head's map of queries by keys, the pinned ones small beside it. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { Choice } from "../lib/choice";
import { Frame } from "../lib/frame";
import { useLate } from "../lib/late";
import { hasAttention, patternKey } from "../lib/pattern";
import { pinActions } from "../lib/pins";
import { type Part, strong } from "../lib/sentence";
import { headName, parseHead, type SharedTraits } from "../lib/state";
import { startView, type View } from "../lib/view";
import { HeadMaps } from "./attention_pattern/heads";
import { ATTENTION, COLOURS, numbersOf } from "./attention_pattern/numbers";
import { openRow } from "./attention_pattern/row-maps";
import { sentence } from "./attention_pattern/words";
import "./attention_pattern.css";

/** The synced traits of `src/residscope/views/attention_pattern.py`. */
type Model = SharedTraits & { colour: string; hide_first: boolean };

const HELP = [
  "Each row is a token (the query). Its cells show how much attention it pays to each token up to " +
    "and including itself (the keys). A row sums to 1. ⚑ marks where the target is read.",
  "Attention shows where a head reads, not what it moves from there. A head can attend strongly to a " +
    "token and add nothing; many heads do this at the first token.",
  "The other colours show what is moved. Value-weighted is the attention weight times the length of the " +
    "value that the head reads there, after its output matrix. Direct effect is what that value adds to " +
    "the target, as if the target were read at the row's token.",
  "A long prompt is shown through a window. The small picture beside it shows the whole prompt, and each " +
    "of its pixels is the largest number under it. Drag there, or use the arrow keys, to move the window.",
  "Click a cell to select both tokens, a label on the left to select the query, or a label above to " +
    "select the key. Arrow keys move, onto the labels too. Enter selects, p pins the head, Escape hides " +
    "the cursor.",
];

/** How far a layer looks back: over a number of tokens, or to the beginning of its chunk. */
type Window = { size: number; chunked: boolean };

function windowWords(window: Window | null): string {
  if (!window) return "";
  return window.chunked
    ? ` · local attention: chunks of ${window.size} tokens`
    : ` · local attention: the last ${window.size} tokens`;
}

function AttentionPattern({ view }: { view: View<Model> }): JSX.Element {
  const picture = view.picture.value;
  const { head, row: wanted, position, key, pinned } = view.selection.value;
  const colour = view.trait("colour").value;
  const answered = view.trait("_answer").value;

  const run = picture?.run;
  const rows = run?.rows.length ?? 0;
  const row = wanted ?? 0;
  const ahead = Boolean(picture?.payload.info.ahead) && colour === ATTENTION;
  const news = ahead ? null : answered;
  const maps = useMemo(
    () => (picture && row < rows ? openRow(picture, row, view.ask, colour) : null),
    [picture, row, rows, news, colour],
  );
  const unit = picture?.run.rows[row]?.target.unit ?? "";
  const causal = picture?.payload.info.causal !== false;
  const numbers = useMemo(() => numbersOf(colour, unit, causal), [colour, unit, causal]);
  const chosen = head && maps?.inRun(head) ? head : null;
  const keys = useMemo(() => {
    const heads = [chosen, ...pinned.map(parseHead)].filter((one) => one && maps?.inRun(one));
    return ahead ? [] : [...new Set(heads.map((one) => patternKey(row, one!, colour)))];
  }, [maps, chosen, pinned, ahead, row, colour]);
  useEffect(() => {
    if (run && keys.length) view.ask.want(run.number, keys);
  }, [run, keys]);
  const refusal = run && chosen && !ahead && view.ask.get(run.number, keys[0]!)?.error;
  const pattern = useMemo(() => chosen && (maps?.patternOf(chosen) ?? null), [maps, chosen]);
  const missing = maps && chosen && !pattern && !refusal ? `${maps.row} ${headName(chosen)}` : null;
  const late = useLate(missing);

  const notice = (): Part[] | string | null => {
    if (!maps) return `Prompt ${row} is not in this run, which has ${rows}.`;
    if (!head) {
      return 'Select a head: click one in Heads, or exp.selection.update(head="2.5")';
    }
    const name = headName(head);
    if (!chosen) {
      const { n_layers, n_heads } = picture!.run;
      return `${name} is not in this run, which has ${n_layers} layers of ${n_heads} heads.`;
    }
    if (!pattern && refusal) return refusal;
    if (!pattern) {
      if (view.unasked.value) return `${name} needs a kernel: open the notebook to see it.`;
      return late ? `${name} is waiting for the kernel.` : " ";
    }
    if (!hasAttention(pattern)) return `Layer ${chosen[0]} has no attention.`;
    const outside = [position, key].find((one) => one !== null && one >= maps.length);
    if (outside === undefined) return null;
    return `Position ${outside} is not in this prompt, which has ${maps.length} tokens.`;
  };
  const windows = (picture?.payload.info.windows ?? []) as (Window | null)[];
  const local = windowWords(windows[chosen?.[0] ?? -1] ?? null);
  const query = position ?? maps?.targetPosition ?? 0;
  const blank = maps !== null && head !== null && !chosen;

  return (
    <div class={blank ? "rs-attention rs-blank" : "rs-attention"}>
      <Frame
        view={view}
        title="Attention"
        what={[...(head ? [strong(headName(head)), " · "] : []), numbers.what, local]}
        meta={
          rows > 1 && (wanted === null ? `first of ${rows} prompts` : `prompt ${row} of ${rows}`)
        }
        help={HELP}
        actions={pinActions(view, head)}
        sentence={pattern && maps ? sentence(pattern, numbers, chosen!, query, key, maps.name) : ""}
        notice={notice()}
      >
        <div class="rs-controls">
          <Choice view={view} trait="colour" label="colour" options={COLOURS} />
          <label>
            <input
              type="checkbox"
              checked={view.trait("hide_first").value}
              onChange={(event) => {
                view.model.set("hide_first", event.currentTarget.checked);
                view.model.save_changes();
              }}
            />{" "}
            without the first token
          </label>
        </div>
        {maps && (
          <HeadMaps
            view={view}
            {...{ maps, numbers, pattern, query }}
            head={chosen}
            blank={blank}
          />
        )}
      </Frame>
    </div>
  );
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <AttentionPattern view={view} />);
}

export default { render };
