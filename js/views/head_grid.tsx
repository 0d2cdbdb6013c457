/** Where all heads of a layer look, or the pinned ones: small maps side by side, each of which selects its head. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { SmallMaps } from "../lib/blocks/small-maps";
import { Choice } from "../lib/choice";
import { sequentialScale } from "../lib/colour";
import { Frame } from "../lib/frame";
import { useLate } from "../lib/late";
import { FlatLegend } from "../lib/legend";
import { mapKey } from "../lib/pattern";
import type { Picture } from "../lib/picture";
import { PinsSaid } from "../lib/pins-said";
import { headName, type SharedTraits, togglePin } from "../lib/state";
import { startView, type View } from "../lib/view";
import type { Tensor } from "../lib/wire";
import { headsOf, inOrder, PINNED, SELECTED, SORTS, smallMap } from "./head_grid/order";
import { sentence } from "./head_grid/words";

/** The synced traits of `src/residscope/views/head_grid.py`. */
type Model = SharedTraits & { shown: string; sort: string };

type Info = { ahead: boolean; causal: boolean; sort: string; unit: string };

const HELP = [
  "Each small map shows one head's attention: rows are queries, columns are the keys that they look at. For a " +
    "prompt of more than 48 tokens each cell shows the largest weight under it, so thin lines stay visible and " +
    "look heavier than they are.",
  "The heads can be sorted by direct effect, or by how much each one behaves like a known kind of head on this " +
    "prompt. The largest comes first.",
  "Click a map to select its head. Arrow keys move, Enter selects, p pins, Escape hides the cursor.",
];

function HeadGrid({ view }: { view: View<Model> }): JSX.Element {
  const picture = view.picture.value;
  const run = picture?.run;
  const { head, row: wantedRow, pinned } = view.selection.value;
  const shown = view.trait("shown").value;
  const row = wantedRow ?? 0;
  const prompt = run?.rows[row];
  const info = picture?.payload.info as Info | undefined;
  const layers = run?.n_layers ?? 0;
  const ahead = useMemo(() => picture && info?.ahead && mapsOf(picture, row), [picture, row]);
  const values = useMemo(() => picture && valuesOf(picture), [picture]);
  const members = run
    ? inOrder(headsOf(shown, head, pinned, run), values, values?.shape[0] === 1 ? 0 : row)
    : [];
  const names = members.map((member) => headName(member.head)).join();
  const answered = view.trait("_answer").value;
  // Kept as long as the same heads are shown, so that their maps need not be painted anew.
  const maps = useMemo(
    () =>
      members.map((member) => ({
        ...member,
        pattern:
          run && prompt
            ? smallMap(
                member.head,
                run.number,
                row,
                ahead || null,
                view.ask,
                info?.causal !== false,
              )
            : null,
      })),
    [names, run, row, ahead, answered],
  );
  const keys = info && !info.ahead ? members.map((member) => mapKey(row, member.head)) : [];
  useEffect(() => {
    if (run && prompt && keys.length) view.ask.want(run.number, keys);
  }, [run, keys.join()]);
  const waits = maps.some((one) => one.pattern === null) && members.length > 0 && prompt;
  const late = useLate(waits ? `${row} ${shown} ${members.length}` : null);
  const scale = useMemo(() => sequentialScale(1, view.theme.value), [view.theme.value]);

  const notice = (): string | null => {
    if (!run) return null;
    if (!prompt) return `Prompt ${row} is not in this run, which has ${run.rows.length}.`;
    if (members.length === 0) {
      if (shown !== PINNED) return `${shown} is not in this run, which has ${layers} layers.`;
      return "No head is pinned: Shift-click one in Heads, or press p there.";
    }
    if (!waits) return null;
    if (view.unasked.value) return "These maps need a kernel: open the notebook to see them.";
    return late ? "Waiting for the kernel." : " ";
  };
  return (
    <Frame
      view={view}
      title="Head maps"
      what={`attention of each token (row) to each ${info?.causal === false ? "other" : "earlier"} one · 0 to 1`}
      meta={run && run.rows.length > 1 && `prompt ${row} of ${run.rows.length}`}
      help={HELP}
      sentence={run && info ? sentence(maps, info.sort, info.unit, prompt?.ids.length ?? 0) : ""}
      notice={notice()}
    >
      <div class="rs-controls">
        <Choice
          view={view}
          trait="shown"
          label="heads of"
          ofModel={false}
          options={[SELECTED, PINNED, ...Array.from({ length: layers }, (_, i) => `layer ${i}`)]}
        />
        <Choice view={view} trait="sort" label="sorted by" options={SORTS} />
        <FlatLegend scale={scale} />
      </div>
      <PinsSaid pinned={pinned} />
      {run && prompt && (
        <SmallMaps
          maps={maps}
          chosen={head}
          pinned={pinned}
          scale={scale}
          unit={info?.unit ?? ""}
          signed={info?.sort === "direct effect"}
          theme={view.theme.value}
          available={view.width.value}
          onSelect={(one) => view.select({ head: one })}
          onPin={(name) => view.select({ pinned: togglePin(pinned, name) })}
        />
      )}
    </Frame>
  );
}

function mapsOf({ payload }: Picture, row: number): Tensor | null {
  return payload.names.includes(`row.${row}`) ? payload.floats(`row.${row}`) : null;
}

function valuesOf({ payload }: Picture): Tensor | null {
  return payload.names.includes("values") ? payload.floats("values") : null;
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <HeadGrid view={view} />);
}

export default { render };
