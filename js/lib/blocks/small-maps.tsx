/** The small maps: hover, click and keyboard; one tab stop. */

import type { JSX } from "preact";
import type { Scale } from "../colour";
import { inUnit, number, signed } from "../number";
import { hasAttention, type Pattern } from "../pattern";
import { moveAlong, usePointed } from "../pointed";
import { type Head, headName } from "../state";
import type { Theme } from "../theme";
import { Thumbnail } from "../thumbnail";
import { useUnique } from "../unique";
import "./small-maps.css";

/** A head with its map, null while that is not here, and what it is sorted by, if anything. */
export type SmallMap = { head: Head; value: number | null; pattern: Pattern | null };

type Props = {
  maps: SmallMap[];
  chosen: Head | null;
  pinned: string[];
  scale: Scale;
  unit: string;
  /** Whether what sorts them has a sign. */
  signed: boolean;
  theme: Theme;
  available: number;
  onSelect(head: Head): void;
  onPin(name: string): void;
};

const [LARGE, SMALL] = [96, 48];
const MANY = 24;
/** What a map takes beside its cells: its rim and the room to the next. */
const AROUND = 24;

export function SmallMaps(props: Props): JSX.Element {
  const { maps, chosen, pinned, scale, unit, theme, available } = props;
  const id = useUnique();
  const side = maps.length > MANY || available < 2 * (LARGE + AROUND) ? SMALL : LARGE;
  const across = Math.max(1, Math.floor(available / (side + AROUND)));
  const selected = maps.findIndex(
    (one) => chosen !== null && headName(one.head) === headName(chosen),
  );
  const write = props.signed ? signed : number;

  const {
    cursor: at,
    setCursor,
    press,
    away,
  } = usePointed<number>({
    begin: () => Math.max(0, selected),
    move: (from, { key }) => moveAlong(from, maps.length, key, across),
    shows: true,
    select: (one) => maps[one] && props.onSelect(maps[one].head),
    others: { p: (one) => maps[one] && props.onPin(headName(maps[one].head)) },
  });
  // There may be fewer now.
  const cursor = at === null ? null : Math.min(at, maps.length - 1);

  return (
    <div
      class="rs-small-maps"
      role="listbox"
      aria-label={`attention of ${maps.length} heads`}
      aria-activedescendant={cursor === null ? undefined : `${id}-${cursor}`}
      tabIndex={0}
      onKeyDown={press}
      {...away}
    >
      {maps.map(({ head, value, pattern }, at) => {
        const name = headName(head);
        const marks = [
          "rs-small-map",
          at === selected ? "rs-chosen" : "",
          pinned.includes(name) ? "rs-pinned" : "",
          at === cursor ? "rs-pointed" : "",
        ];
        const none = pattern !== null && !hasAttention(pattern);
        return (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the list that holds it takes the keys
          <div
            key={at}
            id={`${id}-${at}`}
            class={marks.filter(Boolean).join(" ")}
            role="option"
            aria-selected={at === selected}
            aria-label={value === null ? name : `${name} ${inUnit(write(value), unit)}`}
            onClick={(event) => {
              setCursor(null);
              if (event.shiftKey) props.onPin(name);
              else props.onSelect(head);
            }}
          >
            <span>
              {name} {value !== null && <span class="rs-soft">{write(value)}</span>}
            </span>
            <Thumbnail {...{ pattern, side, scale, theme }} />
            {none && <span class="rs-soft">no attention</span>}
          </div>
        );
      })}
    </div>
  );
}
