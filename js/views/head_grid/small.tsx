/** The small maps: hover, click and keyboard; one tab stop. */

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Scale } from "../../lib/colour";
import { isPlain } from "../../lib/keys";
import { inUnit, number, signed } from "../../lib/number";
import { hasAttention, type Pattern } from "../../lib/pattern";
import { type Head, headName } from "../../lib/state";
import type { Theme } from "../../lib/theme";
import { Thumbnail } from "../../lib/thumbnail";
import { useUnique } from "../../lib/unique";
import type { Member } from "./order";

type Props = {
  maps: (Member & { pattern: Pattern | null })[];
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
  const [cursor, setCursor] = useState<number | null>(null);
  const holder = useRef<HTMLDivElement>(null);
  const id = useUnique();
  const side = maps.length > MANY || available < 2 * (LARGE + AROUND) ? SMALL : LARGE;
  const across = Math.max(1, Math.floor(available / (side + AROUND)));
  const selected = maps.findIndex(
    (one) => chosen !== null && headName(one.head) === headName(chosen),
  );
  const last = maps.length - 1;
  const write = props.signed ? signed : number;

  const press = (event: KeyboardEvent) => {
    if (!isPlain(event)) return;
    const at = Math.min(last, cursor ?? Math.max(0, selected));
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at - across,
      ArrowDown: at + across,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    const one = maps[at];
    // The first arrow shows where the keyboard is; from there arrows move.
    if (to !== undefined) setCursor(cursor === null ? at : to < 0 || to > last ? at : to);
    else if (one && (event.key === "Enter" || event.key === " ")) props.onSelect(one.head);
    else if (one && event.key === "p") props.onPin(headName(one.head));
    else if (event.key === "Escape") setCursor(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      class="rs-small-maps"
      ref={holder}
      role="listbox"
      aria-label={`attention of ${maps.length} heads`}
      aria-activedescendant={cursor === null ? undefined : `${id}-${cursor}`}
      tabIndex={0}
      data-lm-suppress-shortcuts="true"
      onKeyDown={press}
      onBlur={() => setCursor(null)}
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
