/** The grid of positions by depths: a canvas that shows a window of it, one tab stop. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Scale } from "../../lib/colour";
import { type Cell, move, type Spot } from "../../lib/grid";
import { isForMap } from "../../lib/keys";
import { prepare } from "../../lib/paint";
import { usePointed } from "../../lib/pointed";
import { useScreen } from "../../lib/screen";
import type { Theme } from "../../lib/theme";
import { Tooltip } from "../../lib/tooltip";
import { useUnique } from "../../lib/unique";
import { boxOf, type Layout, layOut, layOutEven, scrollTo, seenColumns, spotAt } from "./layout";
import {
  type AxisWords,
  type CellWords,
  cellFont,
  measurer,
  paintCells,
  paintMarks,
} from "./paint";

/** `cells`, `axis` and `scale` are compared by identity, so that a click repaints the rings alone. */
type Props = {
  depths: number;
  positions: number;
  cells: CellWords;
  axis: AxisWords;
  scale: Scale;
  theme: Theme;
  available: number;
  /** Where the selection points; null in place of what is not in this run. */
  chosen: Spot;
  tooltip(cell: Cell): ComponentChildren;
  speak(cell: Cell): string;
  onSelect(spot: Spot): void;
  /** Which positions can be seen; compared by identity, and called anew when it is another. */
  onSeen(from: number, to: number): void;
  /** Beside the grid, as high as its cells. */
  legend(height: number): ComponentChildren;
};

export function LensGrid(props: Props): JSX.Element {
  const { depths, positions, cells, axis, scale, theme, available, chosen } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const ground = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const [scroll, setScroll] = useState(0);
  const { ratio, seen } = useScreen(scroller);
  const id = useUnique();

  const layout = useMemo(
    () => layOutTexts(depths, positions, cells, axis, theme, available),
    [depths, positions, cells, axis, theme, available],
  );
  const window = useMemo(
    () => ({ layout, scroll: Math.min(scroll, layout.full - layout.width), theme, ratio }),
    [layout, scroll, theme, ratio],
  );

  const { onSeen } = props;
  useEffect(() => {
    // Not while it still scrolls.
    const timer = setTimeout(() => onSeen(...seenColumns(layout, window.scroll)), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [onSeen, layout, window.scroll]);

  const {
    hover,
    cursor: at,
    setCursor,
    point,
    press,
    away,
  } = usePointed<Spot>({
    begin: () => ({ row: chosen.row ?? depths - 1, col: chosen.col ?? 0 }),
    move: (from, { key, ctrlKey, metaKey }) =>
      move({ rows: depths, cols: positions, upward: true }, from, key, ctrlKey || metaKey),
    select: props.onSelect,
    takes: isForMap,
  });
  const cursor = isCell(at) ? at : null;

  const shownColumn = cursor?.col ?? chosen.col;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || shownColumn === null) return;
    // To ask the element where it stands would lay out the page.
    const to = scrollTo(layout, window.scroll, shownColumn);
    if (to === window.scroll) return;
    element.scrollLeft = to;
    setScroll(element.scrollLeft);
  }, [layout, shownColumn]);

  useLayoutEffect(() => {
    const context = ground.current && prepare(ground.current, layout, ratio);
    if (context) paintCells(context, window, cells, scale);
  }, [window, cells, scale, layout, ratio, seen]);

  const pointed = cursor ?? hover;
  useLayoutEffect(() => {
    const context = marks.current && prepare(marks.current, layout, ratio);
    if (context) paintMarks(context, window, axis, chosen, pointed);
  }, [window, axis, chosen.row, chosen.col, pointed?.row, pointed?.col, layout, ratio, seen]);

  const spotOf = (event: MouseEvent): Spot | null => {
    const spot = spotAt(layout, window.scroll, event.offsetX, event.offsetY);
    return isCell(spot) && Number.isNaN(cells.probability(spot.row, spot.col)) ? null : spot;
  };
  const over = (event: MouseEvent) => {
    const spot = spotOf(event);
    if (spot?.row !== hover?.row || spot?.col !== hover?.col) point(spot);
  };
  const click = (event: MouseEvent) => {
    const spot = spotOf(event);
    setCursor(null);
    if (spot) props.onSelect(spot);
  };

  const told = cursor ?? (isCell(hover) ? hover : null);
  const size = { width: `${layout.width}px`, height: `${layout.height}px` };
  return (
    <div class="rs-map-row rs-lens-grid">
      <div
        class="rs-map-scroll rs-lens-scroll"
        ref={scroller}
        style={{ width: size.width }}
        role="grid"
        aria-label={`most likely next token, ${depths} depths by ${positions} positions`}
        aria-rowcount={depths}
        aria-colcount={positions}
        aria-activedescendant={cursor ? `${id}-cell` : undefined}
        tabIndex={0}
        onKeyDown={press}
        onBlur={away.onBlur}
        onScroll={(event) => setScroll(event.currentTarget.scrollLeft)}
      >
        <div style={{ width: `${layout.full}px`, height: size.height }}>
          <div class="rs-map rs-lens-window" style={size}>
            <canvas ref={ground} />
            <canvas
              ref={marks}
              class={hover ? "rs-over" : ""}
              onClick={click}
              onPointerMove={over}
              onPointerDown={over}
              onPointerLeave={away.onPointerLeave}
            />
            {cursor && (
              <div class="rs-unseen" role="row" aria-rowindex={cursor.row + 1}>
                <span role="gridcell" id={`${id}-cell`} aria-colindex={cursor.col + 1}>
                  {props.speak(cursor)}
                </span>
              </div>
            )}
          </div>
        </div>
      </div>
      {told && <Tooltip anchor={boxOf(layout, window.scroll, told)}>{props.tooltip(told)}</Tooltip>}
      <div style={{ paddingTop: `${layout.top}px` }}>
        {props.legend(depths * layout.rowHeight - 1)}
      </div>
    </div>
  );
}

/** The width from which on the grid shows all its texts and does not scroll. */
export function leastWidth(
  depths: number,
  positions: number,
  cells: CellWords,
  axis: AxisWords,
  theme: Theme,
): number {
  return layOutTexts(depths, positions, cells, axis, theme, 0).full;
}

/** Lay out the grid so that its texts fit. */
function layOutTexts(
  depths: number,
  positions: number,
  cells: CellWords,
  axis: AxisWords,
  theme: Theme,
  available: number,
): Layout {
  const context = new OffscreenCanvas(1, 1).getContext("2d")!;
  context.font = `11px ${theme.uiFont}`;
  const names = Array.from({ length: depths }, (_, i) => context.measureText(axis.depth(i)).width);
  context.font = cellFont(theme);
  const measure = measurer(context);
  const gutter = Math.ceil(Math.max(0, ...names)) + 12;
  // Columns must not move while cells come in.
  if (positions > MOST_FITTED) return layOutEven({ depths, positions, gutter, available });
  const texts = Array.from({ length: positions }, (_, position) => {
    let widest = measure(axis.position(position)) + (position === axis.targetPosition ? FLAG : 0);
    for (let depth = 0; depth < depths; depth++) {
      widest = Math.max(widest, measure(cells.text(depth, position)));
    }
    return widest;
  });
  return layOut({ depths, texts, gutter, available });
}

const FLAG = 8;
const SETTLE_MS = 80;
/** Columns are as wide as their texts in prompts up to so many tokens. */
export const MOST_FITTED = 64;

function isCell(spot: Spot | null): spot is Cell {
  return spot !== null && spot.row !== null && spot.col !== null;
}
