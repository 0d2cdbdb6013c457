/** The selected head's map, or a window on it, with the pinned heads beside it. */

import type { JSX } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import type { Cell, Spot } from "../../lib/grid";
import { Heatmap, type Ring } from "../../lib/heatmap";
import { Legend } from "../../lib/legend";
import * as patterns from "../../lib/pattern";
import { PinsSaid } from "../../lib/pins-said";
import { type Head, headName, type SharedTraits, togglePin } from "../../lib/state";
import { shorten, visible } from "../../lib/tokens";
import type { View } from "../../lib/view";
import type { Numbers } from "./numbers";
import { Overview } from "./overview";
import { holds, MOST_WHOLE, type Pane, paneAt, SIDES } from "./panes";
import { PinnedHead } from "./pinned";
import { pinsOf, type RowMaps } from "./row-maps";
import { CellTip, LabelTip, speakCell, speakLabel } from "./tips";

type PatternTraits = SharedTraits & { hide_first: boolean };

const PINS_WIDTH = 164;
/** Up to this width pins stand below, and of a long prompt fewer tokens are shown at once. */
const NARROW = 480;

type Props = {
  view: View<PatternTraits>;
  maps: RowMaps;
  numbers: Numbers;
  head: Head | null;
  pattern: patterns.Pattern | null;
  query: number;
  /** Whether there never will be a map, and no room is kept for it. */
  blank: boolean;
};

export function HeadMaps({ view, maps, numbers, head, pattern, query, blank }: Props): JSX.Element {
  const theme = view.theme.value;
  const { key, pinned } = view.selection.value;
  const { length, targetPosition, aims, name } = maps;
  const width = view.width.value;
  const hideFirst = view.trait("hide_first").value;
  const pins = useMemo(() => pinsOf(pinned, maps), [pinned, maps]);
  const scale = useMemo(() => {
    const shown = [pattern, ...pins.map((pin) => pin.pattern)];
    return numbers.scale(
      shown.filter((one) => one !== null),
      hideFirst,
      theme,
    );
  }, [numbers, pattern, pins, hideFirst, theme]);
  const [asked, setAsked] = useState<Pane | null>(null);
  const side = asked?.side ?? SIDES[width > 0 && width <= NARROW ? 0 : 1]!;
  const best = pattern ? (patterns.keysOf(pattern, query, 1)[0]?.position ?? null) : null;
  const wanted = key ?? best ?? 0;
  const all = useMemo((): Pane => ({ row: 0, col: 0, side: length }), [length]);
  const pane = useMemo((): Pane => {
    if (length <= MOST_WHOLE) return all;
    const fits = asked && Math.max(asked.row, asked.col) + asked.side <= length;
    return fits ? asked : paneAt(query, wanted, side, length);
  }, [asked, all, query, wanted]);
  useEffect(() => {
    // It stays where it is as long as it shows what is selected.
    if (length > MOST_WHOLE && !(asked && holds(asked, query, wanted))) {
      setAsked(paneAt(query, wanted, side, length));
    }
  }, [query, wanted, length]);
  const cells = useMemo(() => {
    const hidden = (col: number) => !pattern || (hideFirst && col + pane.col === 0);
    return {
      scale,
      value: (row: number, col: number) =>
        hidden(col) ? Number.NaN : patterns.weightAt(pattern!, row + pane.row, col + pane.col),
    };
  }, [pattern, scale, hideFirst, pane]);
  const told = pattern && { pattern, numbers, name };
  const longest = width > 420 ? 24 : 12;
  const colLabel = useCallback(
    (at: number) => shorten(visible(name(at + pane.col).text), longest),
    [name, longest, pane.col],
  );
  const rowLabel = useCallback(
    (at: number) => {
      const position = at + pane.row;
      return `${aims && position === targetPosition ? "⚑ " : ""}${shorten(visible(name(position).text), longest)}`;
    },
    [name, longest, pane.row, targetPosition, aims],
  );
  const whole = pane.side === length;
  const beside = (pins.length > 0 || !whole) && width > NARROW;
  const room = width - 56 - (beside ? PINS_WIDTH : 0);
  const rings: Ring[] = [];
  if (pattern && query < length && holds(pane, query, null)) {
    const row = query - pane.row;
    const cols = Math.min(pane.side, patterns.keysIn(pattern, query) - pane.col);
    if (cols > 0) rings.push({ row, col: null, cols, kind: "selected" });
    if (key !== null && key < patterns.keysIn(pattern, query) && holds(pane, query, key)) {
      rings.push({ row, col: key - pane.col, kind: "selected" });
    }
  }
  const inAll = ({ row, col }: Cell): Cell => ({ row: row + pane.row, col: col + pane.col });
  const labelInAll = ({ row, col }: Spot): Spot => ({
    row: row === null ? null : row + pane.row,
    col: col === null ? null : col + pane.col,
  });
  const start = { row: query - pane.row, col: Math.min(key ?? 0, query) - pane.col };
  const startsIn = holds(pane, query, Math.min(key ?? 0, query));
  const togglePinned = (one: Head) => view.select({ pinned: togglePin(pinned, headName(one)) });

  return (
    <div class="rs-side-by-side">
      {!blank && (
        <Heatmap
          name={`attention of ${head ? headName(head) : "no head"}, ${length} tokens by ${length}`}
          rows={pane.side}
          cols={pane.side}
          cells={cells}
          rowLabel={rowLabel}
          colLabel={colLabel}
          rowsAre="tokens"
          colsAre="tokens"
          colSide="above"
          theme={theme}
          available={Math.max(160, room)}
          tallest={Math.min(640, Math.max(280, room))}
          size={[1, 24]}
          rings={rings}
          start={startsIn ? start : null}
          tooltip={(cell) => told && <CellTip {...told} {...inAll(cell)} />}
          speak={(cell) => (told ? speakCell(told, inAll(cell)) : "")}
          labelTip={(label) => told && <LabelTip {...told} {...labelInAll(label)} />}
          speakLabel={(label) => speakLabel(told, name, labelInAll(label))}
          onSelect={({ row, col }, { pin }) => {
            if (!pin) view.select({ position: row + pane.row, key: col + pane.col });
            else if (head) togglePinned(head);
          }}
          onRowLabel={(at) => view.select({ position: at + pane.row })}
          onColLabel={(at) => view.select({ key: at + pane.col })}
          legend={() => pattern && <Legend scale={scale} height={96} />}
        />
      )}
      <PinsSaid pinned={pinned} />
      {pattern && !whole && (
        <Overview {...{ pattern, pane, scale, hideFirst, theme }} onPane={setAsked} />
      )}
      {pins.length > 0 && (
        <ul class="rs-pins" aria-label="pinned heads">
          {pins.map((pin) => (
            <PinnedHead
              key={headName(pin.head)}
              pin={pin}
              chosen={head !== null && headName(head) === headName(pin.head)}
              query={query}
              scale={scale}
              hideFirst={hideFirst}
              theme={theme}
              onSelect={() => view.select({ head: pin.head })}
              onUnpin={() => togglePinned(pin.head)}
            />
          ))}
        </ul>
      )}
    </div>
  );
}
