/** A quantity of two axes as a map of cells; of heads with the strongest listed beside it. */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import * as words from "../../../src/residscope/data/words.json";
import type { Cell, Spot } from "../grid";
import { Heatmap, type Ring } from "../heatmap";
import { Legend } from "../legend";
import { inUnit, number, precise, signed } from "../number";
import {
  alongTokens,
  chosenAt,
  indexOf,
  isHeads,
  labelOf,
  nameOf,
  picked,
  spokenName,
  tickOf,
} from "../quantity";
import { ends, endWords, type Ranked, ranked } from "../quantity-words";
import { type Part, plain, Say } from "../sentence";
import { headName, parseHead, togglePin } from "../state";

import { type BlockProps, Told } from "./block";
import { fold } from "./fold";

const LISTED = 3;
const LABELS = 64;
const LIST_WIDTH = 150;
const TEXT_HEIGHT = 20;
const [NARROWEST, WIDEST] = [32, 86];

export function MapBlock(props: BlockProps): JSX.Element {
  const { shown, run, theme, scale, selection, available } = props;
  const { of, dims, sizes, values } = shown;
  const [down = "", across = ""] = dims;
  const heads = isHeads(dims);
  const wide = available > 420;
  const room = Math.max(120, available - 64 - (heads && wide ? LIST_WIDTH : 0));
  const folded = useMemo(() => fold(shown, room - LABELS), [shown, room]);
  const { rows, cols, by } = folded;
  const cells = useMemo(() => {
    const indexAt = (row: number, col: number) => indexOf(shown, folded.at(row, col));
    const text = of.labels && ((row: number, col: number) => labelOf(shown, indexAt(row, col)));
    return {
      scale,
      value: (row: number, col: number) => values[indexAt(row, col)]!,
      text: text ?? undefined,
      off: shown.off.size
        ? (row: number, col: number) => shown.off.has(indexAt(row, col))
        : undefined,
    };
  }, [shown, scale, folded]);
  const rowLabel = useMemo(
    () => (at: number) => tickOf(shown, down, at * by[0], run),
    [shown, run, folded],
  );
  const colLabel = useMemo(
    () => (at: number) => tickOf(shown, across, at * by[1], run),
    [shown, run, folded],
  );
  const [row = null, col = null] = chosenAt(shown, selection, run).map((at, i) =>
    at === null ? null : Math.floor(at / by[i]!),
  );
  const start = row !== null && col !== null ? { row, col } : null;
  const pinned = heads ? selection.pinned.map(parseHead) : [];
  const rings: Ring[] = pinned
    .filter((one) => one !== null && one[0] < rows && one[1] < cols)
    .map((one) => ({ row: one![0], col: one![1], kind: "pinned" }));
  if (row !== null || col !== null) rings.push({ row, col, kind: "selected" });
  const select = (at: number[], pin: boolean) => {
    if (pin && heads) {
      const name = headName([at[0]!, at[1]!]);
      props.select({ pinned: togglePin(selection.pinned, name) });
    } else props.select(picked(dims, at, run));
  };
  const label = (spot: Spot) => (spot.row === null ? colLabel(spot.col!) : rowLabel(spot.row));
  const tokensAcross = alongTokens({ dims: [across] });
  const name = heads ? `${of.name} of each head, ` : `${of.name}, `;
  const along = (axis: string, count: number) => `${count} ${axis === "pos" ? "position" : axis}s`;

  return (
    <div class="rs-side-by-side">
      <Heatmap
        name={`${name}${along(down, sizes[0]!)} by ${along(across, sizes[1]!)}`}
        rows={rows}
        cols={cols}
        cells={cells}
        rowLabel={rowLabel}
        colLabel={colLabel}
        rowsAre={alongTokens({ dims: [down] }) ? "tokens" : "numbers"}
        colsAre={tokensAcross ? "tokens" : "numbers"}
        colSide={tokensAcross ? "above" : "below"}
        upward={down === "layer" || down === "depth"}
        theme={theme}
        available={room}
        {...(of.labels ? { rowHeight: TEXT_HEIGHT, size: [NARROWEST, WIDEST] } : {})}
        rings={rings}
        start={start}
        tooltip={(cell) => <Told {...props} at={folded.at(cell.row, cell.col)} />}
        labelTip={tokensAcross ? label : undefined}
        speak={(cell: Cell) => {
          const at = folded.at(cell.row, cell.col);
          const index = indexOf(shown, at);
          const value = shown.off.has(index) ? "off" : inUnit(precise(values[index]!), of.unit);
          return `${spokenName(shown, at, run)}: ${value}`;
        }}
        onSwitch={
          heads && props.onSwitch
            ? ({ row: one, col: other }) => {
                const [layer, head] = folded.at(one, other);
                props.onSwitch!(headName([layer!, head!]));
              }
            : undefined
        }
        onSelect={({ row: one, col: other }, { pin }) => select(folded.at(one, other), pin)}
        legend={(height) => <Legend scale={scale} height={height} />}
      />
      {by.some((steps) => steps > 1) && (
        <p class="rs-soft">
          each cell is the largest {of.name} of those under it: {sizes.join(" by ")} as {rows} by{" "}
          {cols}
        </p>
      )}
      {heads && <Strongest {...props} wide={wide} onSelect={select} />}
    </div>
  );
}

type StrongestProps = BlockProps & { wide: boolean; onSelect(at: number[], pin: boolean): void };

/** The cells that are most on either side, each of which selects. */
function Strongest(props: StrongestProps): JSX.Element {
  const { shown, target, wide } = props;
  const [highWords, lowWords] = endWords(shown, target);
  const lists = useMemo(() => {
    const cells = ranked(shown);
    const { high, low } = ends(cells, LISTED);
    return shown.signed ? [high, low] : [ends(cells, 2 * LISTED).high];
  }, [shown]);
  const words = [highWords, lowWords];
  return (
    <div class={wide ? "rs-strongest" : "rs-strongest rs-below"}>
      {lists.map((cells, i) => (
        <List key={plain(words[i]!)} {...props} words={words[i]!} cells={cells} />
      ))}
    </div>
  );
}

function List(props: StrongestProps & { words: Part[]; cells: Ranked[] }): JSX.Element {
  const { shown, run, selection, cells } = props;
  const chosen = chosenAt(shown, selection, run).join();
  const write = shown.signed ? signed : number;
  return (
    <div>
      <p class="rs-soft">
        <Say words={props.words} />
      </p>
      {cells.map(({ at, value }) => (
        <button
          key={at.join()}
          type="button"
          aria-pressed={at.join() === chosen}
          onClick={(event) => props.onSelect(at, event.shiftKey)}
        >
          <span>{nameOf(shown, at, run)}</span>
          <span class="rs-number">{write(value)}</span>
        </button>
      ))}
      {cells.length === 0 && <p class="rs-soft">{words.end_none}</p>}
    </div>
  );
}
