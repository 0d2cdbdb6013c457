/** A quantity along a prompt's tokens: chips that are tinted by it; arrow keys move, Enter selects. */

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { inkOn } from "../colour";
import { isPlain } from "../keys";
import { FlatLegend } from "../legend";
import { inUnit, precise } from "../number";
import { leaves } from "../pointer";
import { chosenAt, labelOf, nameOf, picked } from "../quantity";
import { css } from "../rgb";
import { Token, tokenAt } from "../tokens";
import { type Anchor, Tooltip } from "../tooltip";
import { useUnique } from "../unique";
import { type BlockProps, beside, written } from "./block";

export function ChipsBlock(props: BlockProps): JSX.Element {
  const { shown, run, theme, scale, selection } = props;
  const { dims, sizes, values, row, of } = shown;
  const [hover, setHover] = useState<{ at: number; anchor: Anchor } | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const around = useRef<HTMLDivElement>(null);
  const id = useUnique();
  const last = sizes[0]! - 1;
  const [chosen = null] = chosenAt(shown, selection, run);
  const select = (at: number) => props.select(picked(dims, [at], run));
  const press = (event: KeyboardEvent) => {
    if (!isPlain(event)) return;
    const at = cursor ?? chosen ?? 0;
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    // The first arrow shows where the keyboard is; from there arrows move.
    if (to !== undefined) setCursor(cursor === null ? at : Math.min(last, Math.max(0, to)));
    else if (event.key === "Enter" || event.key === " ") select(at);
    else if (event.key === "Escape") {
      setCursor(null);
      setHover(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const point = (chip: HTMLElement, at: number) => {
    const [from, box] = [around.current!.getBoundingClientRect(), chip.getBoundingClientRect()];
    const { width, height } = box;
    setHover({ at, anchor: { x: box.left - from.left, y: box.top - from.top, width, height } });
  };
  const compared = hover && beside(shown, [hover.at]);

  return (
    <div class="rs-values" ref={around}>
      <div
        class="rs-value-chips"
        role="listbox"
        aria-label={`${of.name} of each of ${last + 1} tokens`}
        aria-activedescendant={cursor === null ? undefined : `${id}-${cursor}`}
        tabIndex={0}
        data-lm-suppress-shortcuts="true"
        onKeyDown={press}
        onBlur={() => {
          setCursor(null);
          setHover(null);
        }}
        onPointerLeave={(event) => leaves(event) && setHover(null)}
      >
        {Array.from({ length: last + 1 }, (_, at) => {
          const value = values[at]!;
          const ground = Number.isNaN(value) ? null : scale.at(value);
          const marks = [
            "rs-value-chip",
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
              style={
                ground
                  ? {
                      "--rs-ground": css(ground),
                      "--rs-ground-ink": css(inkOn(ground, theme)),
                    }
                  : undefined
              }
              onPointerEnter={(event) => point(event.currentTarget, at)}
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
      {hover && (
        <Tooltip anchor={hover.anchor} key={hover.at}>
          <b>{nameOf(shown, [hover.at], run)}</b> {labelOf(shown, hover.at)}{" "}
          {written(shown, values[hover.at]!)}
          {compared && (
            <>
              <br />
              <span class="rs-soft">{compared}</span>
            </>
          )}
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
