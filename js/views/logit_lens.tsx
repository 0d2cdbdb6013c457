/** What the model would say if it stopped at a depth: a grid of positions by depths, a slider over depths. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import { sequentialScale } from "../lib/colour";
import { FindBox } from "../lib/find-box";
import { type Check, Frame } from "../lib/frame";
import type { Cell, Spot } from "../lib/grid";
import { Legend } from "../lib/legend";
import { precise } from "../lib/number";
import type { Picture } from "../lib/picture";
import type { SelectionState, SharedTraits } from "../lib/state";
import { targetOf } from "../lib/target";
import { Token, tokenAt, visible } from "../lib/tokens";
import { startView, type View } from "../lib/view";
import { DepthControls } from "./logit_lens/controls";
import { TargetCurve } from "./logit_lens/curve";
import { cellsKey, type Lens, type Place, placeOf, readLens } from "./logit_lens/data";
import { LensGrid, leastWidth, MOST_FITTED } from "./logit_lens/grid";
import { Guesses } from "./logit_lens/guesses";
import { rowHeightOf } from "./logit_lens/layout";
import { sentence } from "./logit_lens/words";
import "./logit_lens.css";

/** The synced traits of `src/residscope/views/logit_lens.py`. */
type Model = SharedTraits;

const HELP = [
  "Each cell shows the token that would come next if the model stopped there: the residual stream, " +
    "put through the model's own final norm and unembedding. The colour is its probability.",
  "“embed” is the input of layer 0, “0.mid” lies between its attention and its MLP, “0.post” after " +
    "both. “output” is checked against the model's own logits.",
  "Early layers write for later layers, not for the unembedding: a wrong guess there does not mean " +
    "that the model does not know.",
  "The curve shows the target at each depth, as if it were read at the selected position. On a long " +
    "prompt, cells are computed when they come on screen.",
  "Click a cell to select its depth and position. Arrow keys move, Enter selects, Escape hides the cursor.",
];

/** The width of the list and the curve with the room before them, and of the grid's legend. */
const SIDE = 260;
const LEGEND = 52;
const SIDE_BY_SIDE = 640;
/** The height of the curve with the line under the list, and of one line of the list. */
const CURVE = 140;
const LINE = 18;

function LogitLens({ view }: { view: View<Model> }): JSX.Element {
  const picture = view.picture.value;
  const { row: wanted, depth, position } = view.selection.value;
  const read = useMemo(() => picture && readLens(picture), [picture]);
  const rows = picture?.run.rows.length ?? 0;
  const row = wanted !== null && wanted < rows ? wanted : 0;
  const answered = view.trait("_answer").value;
  const lens = useMemo(() => read?.(row, view.ask) ?? null, [read, row, answered]);
  const place = picture && placeOf(picture.run, row, { row: wanted, depth, position });
  const said =
    picture && lens && place && place.depth !== null && place.position !== null
      ? sentence(picture.run, lens, place.depth, place.position)
      : "";
  return (
    <Frame
      view={view}
      title="Logit lens"
      what="most likely next token if the model stopped here · probability"
      meta={rows > 1 && rowWords(wanted, row, rows)}
      check={lens && outputCheck(lens)}
      help={HELP}
      sentence={said}
      notice={place?.missing}
    >
      {picture && lens && place && <Lenses view={view} {...{ picture, lens, place }} />}
    </Frame>
  );
}

/** Which prompt is shown; a lens has no mean over prompts. */
function rowWords(wanted: number | null, row: number, rows: number): string {
  return `prompt ${row} of ${rows}${wanted === null ? ", not their mean" : ""}`;
}

function outputCheck({ check }: Lens): Check | null {
  return (
    check && { text: `output ${check.ok ? "=" : "≠"} model`, ok: check.ok, reason: check.reason }
  );
}

type Props = { view: View<Model>; picture: Picture; lens: Lens; place: Place };

function Lenses({ view, picture, lens, place }: Props): JSX.Element {
  const { run } = picture;
  const theme = view.theme.value;
  const width = view.width.value;
  const { depth, position } = place;
  const scale = useMemo(() => sequentialScale(1, theme), [theme]);
  const cells = useMemo(() => {
    const texts = new Map<number, string>();
    const text = (id: number): string => {
      const known = texts.get(id) ?? visible(lens.name(id).text);
      texts.set(id, known);
      return known;
    };
    return {
      probability: (at: number, token: number) => lens.top(at, token)?.probability ?? Number.NaN,
      text: (at: number, token: number) => {
        const top = lens.top(at, token);
        return top ? text(top.id) : "";
      },
    };
  }, [lens]);
  const axis = useMemo(() => {
    return {
      depth: (at: number) => run.depths[at] ?? "",
      position: (at: number) => visible(tokenAt(run, lens.row, at).text),
      targetPosition: run.rows[lens.row]?.target_position ?? 0,
    };
  }, [run, lens]);
  const target = useMemo(() => targetOf(run.rows, lens.row), [run, lens]);
  const onSeen = useCallback(
    (from: number, to: number) => {
      const missing = lens.missing(from, to);
      if (missing) view.ask.want(run.number, [cellsKey(lens.row, missing)]);
    },
    [view, run, lens],
  );
  const onDepth = useCallback((next: number) => view.select({ depth: next }), [view]);
  const select = ({ row, col }: Spot) => {
    const patch: Partial<SelectionState> = {};
    if (row !== null) patch.depth = row;
    if (col !== null) patch.position = col;
    view.select(patch);
  };
  const speak = ({ row, col }: Cell) => {
    const top = lens.top(row, col);
    const guess = top ? `${cells.text(row, col)}, ${precise(top.probability)}` : "no cell here";
    return `${axis.depth(row)}, after ${axis.position(col)} (${col}): ${guess}`;
  };

  const atTarget = position === null || position === axis.targetPosition;
  const elsewhere = useMemo(
    () => (atTarget ? null : lens.curve(position)),
    [lens, position, atTarget],
  );
  const least = useMemo(
    () => leastWidth(lens.depths, lens.positions, cells, axis, theme),
    [lens, cells, axis, theme],
  );
  // Below the grid where it would scroll only for want of the room beside it.
  const fits = (room: number) => least <= room - LEGEND;
  const beside = width >= SIDE_BY_SIDE && (fits(width - SIDE) || !fits(width));
  // Beside the grid the list is as long as the grid is high.
  const lines = Math.floor((lens.depths * rowHeightOf(lens.depths) - CURVE) / LINE);
  return (
    <>
      <DepthControls names={run.depths} depth={depth} onDepth={onDepth} />
      {lens.positions > MOST_FITTED && (
        <div class="rs-controls">
          <FindBox
            run={run}
            row={lens.row}
            position={position ?? axis.targetPosition}
            onFind={(found) => view.select({ position: found })}
          />
        </div>
      )}
      <div class={beside ? "rs-side-by-side rs-lens-beside" : "rs-side-by-side"}>
        <LensGrid
          depths={lens.depths}
          positions={lens.positions}
          cells={cells}
          axis={axis}
          scale={scale}
          theme={theme}
          available={width - LEGEND - (beside ? SIDE : 0)}
          chosen={{ row: depth, col: position }}
          tooltip={(cell) => <CellTip lens={lens} picture={picture} cell={cell} />}
          speak={speak}
          onSelect={select}
          onSeen={onSeen}
          legend={(height) => <Legend scale={scale} height={height} />}
        />
        <div class="rs-lens-side">
          {depth !== null && position !== null && (
            <Guesses
              lens={lens}
              row={run.rows[lens.row]}
              depth={depth}
              position={position}
              most={beside ? Math.max(5, lines) : 10}
            />
          )}
          {lens.target.some((value) => !Number.isNaN(value)) && (
            <TargetCurve
              names={run.depths}
              values={elsewhere ?? lens.target}
              rank={elsewhere || !run.model ? null : lens.rank}
              after={elsewhere ? tokenAt(run, lens.row, position!) : null}
              target={target}
              depth={depth}
              onDepth={onDepth}
            />
          )}
        </div>
      </div>
    </>
  );
}

function CellTip({ lens, picture, cell }: Omit<Props, "view" | "place"> & { cell: Cell }) {
  const { row: depth, col: position } = cell;
  const top = lens.top(depth, position);
  return (
    <>
      {top && (
        <>
          <Token {...lens.name(top.id)} /> <b>{precise(top.probability)}</b>
        </>
      )}
      <div class="rs-soft">
        {picture.run.depths[depth]}, after <Token {...tokenAt(picture.run, lens.row, position)} /> (
        {position})
      </div>
    </>
  );
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <LogitLens view={view} />);
}

export default { render };
