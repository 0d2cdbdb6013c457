/** The tokens of each prompt as chips: one tab stop, arrows move, Enter selects. */

import type { JSX, TargetedMouseEvent, TargetedPointerEvent } from "preact";
import { useAnchor } from "../../lib/anchor";
import { inUnit, number, preciseSigned } from "../../lib/number";
import { usePointed } from "../../lib/pointed";
import type { Header } from "../../lib/state";
import type { Theme } from "../../lib/theme";
import { tinted } from "../../lib/tinted";
import { isTemplate, Token, tokenAt, visible } from "../../lib/tokens";
import { Tooltip } from "../../lib/tooltip";
import { useUnique } from "../../lib/unique";
import { MOST_FLOWING } from "./lines";
import { LongRows } from "./long";
import { moveIn, type Spot } from "./spot";
import type { Tint } from "./tint";

type Props = {
  run: Header;
  /** The row and the position that are looked at. */
  row: number;
  position: number;
  /** Whether the row was chosen, and is not just the first of several. */
  chosenRow: number | null;
  tint: Tint | null;
  theme: Theme;
  width: number;
  holder: { current: HTMLDivElement | null };
  onSelect(spot: Spot): void;
  /** Undefined where nothing can be edited. */
  onEdit: (() => void) | undefined;
};

export function Strip(props: Props): JSX.Element {
  const {
    run,
    row: shownRow,
    position,
    chosenRow,
    tint,
    theme,
    width,
    holder,
    onSelect,
    onEdit,
  } = props;
  const id = useUnique();
  const several = run.rows.length > 1;
  const lengths = run.rows.map(({ ids }) => ids.length);
  const nameOf = ({ row, position: at }: Spot) => `${id}-${row}-${at ?? "row"}`;

  const spotOf = (event: TargetedMouseEvent<HTMLElement> | TargetedPointerEvent<HTMLElement>) => {
    const chip = (event.target as Element).closest<HTMLElement>("[data-row]");
    if (!chip) return null;
    const { row, position: at } = chip.dataset;
    return { row: Number(row), position: at === undefined ? null : Number(at) };
  };
  const { hover, cursor, setCursor, point, press, away } = usePointed<Spot>({
    begin: () => ({ row: shownRow, position }),
    move: (at, { key }) => moveIn(lengths, at, key),
    select: onSelect,
    others: { e: onEdit },
  });
  const told = cursor ?? hover;
  const { holder: around, anchor } = useAnchor(told && nameOf(told), cursor !== null, run);

  const chip = (row: number, at: number): JSX.Element => {
    const of = run.rows[row]!;
    const name = tokenAt(run, row, at);
    const ringed = row === shownRow && at === position;
    const marks = [
      "rs-chip",
      ringed ? "rs-ringed" : "",
      run.model && at === of.target_position ? "rs-target" : "",
      isTemplate(of, at) ? "rs-template" : "",
      tint ? "rs-tinted" : "",
      cursor?.row === row && cursor.position === at ? "rs-pointed" : "",
    ];
    return (
      <span
        class={marks.filter(Boolean).join(" ")}
        role="gridcell"
        key={at}
        id={nameOf({ row, position: at })}
        data-row={row}
        data-position={at}
        style={tint ? tinted(tint.scale, theme, tint.rows[row]?.[at]) : undefined}
        aria-selected={ringed}
        aria-label={`${visible(name.text)}, position ${at}, id ${of.ids[at]}`}
      >
        <Token {...name} />
      </span>
    );
  };
  const rowNumber = (row: number): JSX.Element => (
    <span
      class={chosenRow === row ? "rs-row-number rs-chosen" : "rs-row-number"}
      role="rowheader"
      id={nameOf({ row, position: null })}
      data-row={row}
      aria-selected={chosenRow === row}
    >
      {row}
    </span>
  );
  const rowValue = (row: number): JSX.Element => {
    const { value, unit } = run.rows[row]!.target;
    return <span class="rs-row-value">{value !== null && `${number(value)} ${unit}`}</span>;
  };

  return (
    <div class="rs-strip" ref={around}>
      <div
        class="rs-strip-rows"
        ref={holder}
        role="grid"
        aria-label="tokens"
        aria-activedescendant={cursor ? nameOf(cursor) : undefined}
        tabIndex={0}
        onKeyDown={press}
        {...away}
        onClick={(event) => {
          const spot = spotOf(event);
          setCursor(null);
          // The second click of a double click selects nothing more.
          if (spot && event.detail < 2) onSelect(spot);
        }}
        onDblClick={onEdit}
        onPointerOver={(event) => point(spotOf(event))}
      >
        {isLong(run) ? (
          <LongRows
            run={run}
            theme={theme}
            width={width}
            holder={holder}
            looking={cursor ?? { row: shownRow, position }}
            chip={chip}
            header={(row) => (
              <>
                {rowNumber(row)} {rowValue(row)}
              </>
            )}
          />
        ) : (
          run.rows.map((of, row) => (
            <div class="rs-strip-row" role="row" key={row}>
              {several && rowNumber(row)}
              <span class="rs-chips" role="none">
                {of.ids.map((_, at) => [
                  chip(row, at),
                  tokenAt(run, row, at).text.endsWith("\n") && (
                    <span class="rs-break" key={`${at}-break`} />
                  ),
                ])}
              </span>
              {several && rowValue(row)}
            </div>
          ))
        )}
      </div>
      {told && anchor && (
        <Tooltip anchor={anchor} key={nameOf(told)}>
          <SpotTip run={run} spot={told} tint={tint} />
        </Tooltip>
      )}
    </div>
  );
}

/** Whether a run is drawn line by line: a chip each would be thousands of elements. */
export function isLong({ rows }: Header): boolean {
  return rows.reduce((sum, { ids }) => sum + ids.length, 0) > MOST_FLOWING;
}

type TipProps = { run: Header; spot: Spot; tint: Tint | null };

function SpotTip({ run, spot: { row, position }, tint }: TipProps): JSX.Element | null {
  if (position === null) return <>prompt {row}: select this one alone</>;
  const of = run.rows[row];
  if (!of) return null;
  return (
    <>
      <Token {...tokenAt(run, row, position)} />
      <div class="rs-soft">
        position {position} · id {of.ids[position]}
      </div>
      {tint && (
        <div>
          {tint.told}{" "}
          <b>{inUnit(preciseSigned(tint.rows[row]?.[position] ?? Number.NaN), tint.unit)}</b>
        </div>
      )}
      {isTemplate(of, position) && <div class="rs-soft">the chat template's</div>}
      {run.model && position === of.target_position && (
        <div class="rs-soft">the target is read here</div>
      )}
    </>
  );
}
