/** A quantity along a prompt's tokens: chips that are tinted by it; arrow keys move, Enter selects. */

import type { JSX } from "preact";
import { useAnchor } from "../anchor";
import { FlatLegend } from "../legend";
import { inUnit, precise } from "../number";
import { moveAlong, usePointed } from "../pointed";
import { chosenAt, nameOf, picked } from "../quantity";
import { tinted } from "../tinted";
import { Token, tokenAt } from "../tokens";
import { Tooltip } from "../tooltip";
import { useUnique } from "../unique";
import { type BlockProps, Told } from "./block";

export function ChipsBlock(props: BlockProps): JSX.Element {
  const { shown, run, theme, scale, selection } = props;
  const { dims, sizes, values, row, of } = shown;
  const id = useUnique();
  const last = sizes[0]! - 1;
  const [chosen = null] = chosenAt(shown, selection, run);
  const select = (at: number) => props.select(picked(dims, [at], run));
  const { hover, cursor, setCursor, point, press, away } = usePointed<number>({
    begin: () => chosen ?? 0,
    move: (at, { key }) => moveAlong(at, last + 1, key),
    shows: true,
    select,
  });
  const told = hover ?? cursor;
  const { holder, anchor } = useAnchor(
    told === null ? null : `${id}-${told}`,
    cursor !== null,
    shown,
  );

  return (
    <div class="rs-values" ref={holder}>
      <div
        class="rs-value-chips"
        role="listbox"
        aria-label={`${of.name} of each of ${last + 1} tokens`}
        aria-activedescendant={cursor === null ? undefined : `${id}-${cursor}`}
        tabIndex={0}
        onKeyDown={press}
        {...away}
      >
        {Array.from({ length: last + 1 }, (_, at) => {
          const value = values[at]!;
          const marks = [
            "rs-value-chip",
            Number.isNaN(value) ? "" : "rs-tinted",
            at === chosen ? "rs-value-chosen" : "",
            at === cursor ? "rs-value-pointed" : "",
          ];
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the list that holds it takes the keys
            <span
              key={at}
              id={`${id}-${at}`}
              class={marks.filter(Boolean).join(" ")}
              role="option"
              aria-selected={at === chosen}
              aria-label={`${nameOf(shown, [at], run)}: ${inUnit(precise(value), of.unit)}`}
              style={tinted(scale, theme, value)}
              onPointerEnter={() => point(at)}
              onClick={() => {
                setCursor(null);
                select(at);
              }}
            >
              <Token {...nameAt(props, row ?? 0, at)} />
            </span>
          );
        })}
      </div>
      {told !== null && anchor && (
        <Tooltip anchor={anchor} key={told}>
          <Told {...props} at={[told]} />
        </Tooltip>
      )}
      <p class="rs-soft">
        <FlatLegend scale={scale} /> {of.unit}
      </p>
    </div>
  );
}

/** A token, or its position where the numbers have no tokens. */
function nameAt({ run }: BlockProps, row: number, at: number) {
  const name = tokenAt(run, row, at);
  return name.text ? name : { text: String(at), special: false };
}
