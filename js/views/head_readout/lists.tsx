/** The lists of the card, side by side as far as there is room. */

import type { JSX } from "preact";
import { precise, preciseSigned, signed, titleUnit } from "../../lib/number";
import { share } from "../../lib/pattern";
import type { Row } from "../../lib/state";
import { Token, type TokenName } from "../../lib/tokens";
import type { Card, Pair } from "./card";
import { ordinal } from "./words";

type Props = {
  card: Card;
  row: Row;
  unit: string;
  /** How many heads the model has. */
  heads: number;
  nameAt(position: number): TokenName;
  name(id: number): TokenName;
  onKey(position: number): void;
};

export function Lists({ card, row, unit, heads, nameAt, name, onKey }: Props): JSX.Element {
  const side = (id: number) => {
    if (row.right?.ids.includes(id)) return "rs-right";
    return row.wrong?.ids.includes(id) ? "rs-wrong" : "";
  };
  return (
    <>
      <List
        heading="looks at"
        pairs={card.looks}
        most={1}
        written={share}
        told={precise}
        cell={(position) => (
          <button type="button" onClick={() => onKey(position)}>
            <Token {...nameAt(position)} /> <span class="rs-soft">({position})</span>
          </button>
        )}
      />
      {card.writes.map(([kind, pairs]) => (
        <List
          key={kind}
          heading={`${kind} · logits`}
          pairs={pairs}
          most={Math.max(...pairs.map(([, value]) => Math.abs(value)))}
          kind={kind}
          written={signed}
          told={(value) => `${preciseSigned(value)} logits`}
          cell={(id) => (
            <span class={side(id)}>
              <Token {...name(id)} />
            </span>
          )}
        />
      ))}
      <table>
        <caption class="rs-soft">
          {card.effect === null ? "" : `direct effect${titleUnit(unit)}`}
        </caption>
        <tbody>
          {card.effect !== null && (
            <tr>
              <td>
                <b>{signed(card.effect)}</b>
              </td>
              <td class="rs-soft">
                {ordinal(card.rank)} of {heads} by size
              </td>
            </tr>
          )}
          {card.scores.map(([kind, score]) => (
            <tr key={kind}>
              <td class="rs-soft">{kind}</td>
              <td class="rs-number">
                {score === null ? <span class="rs-soft">no repeats</span> : share(score)}
              </td>
            </tr>
          ))}
          {card.shares.length > 0 && (
            <tr>
              <td class="rs-soft">keys and values</td>
              <td class="rs-soft">as H{card.shares.join(", H")}</td>
            </tr>
          )}
        </tbody>
      </table>
    </>
  );
}

type ListProps = {
  heading: string;
  pairs: Pair[];
  /** The number whose bar is full. */
  most: number;
  kind?: string;
  written(value: number): string;
  told(value: number): string;
  cell(at: number): JSX.Element;
};

function List({ heading, pairs, most, kind, written, told, cell }: ListProps): JSX.Element {
  return (
    <table class={kind ? `rs-${kind}` : ""}>
      <caption class="rs-soft">{heading}</caption>
      <tbody>
        {pairs.map(([at, value]) => (
          <tr key={at} title={told(value)}>
            <td>{cell(at)}</td>
            <td class="rs-number">{written(value)}</td>
            <td class="rs-readout-bar" aria-hidden="true">
              <i style={{ width: `${most > 0 ? (100 * Math.abs(value)) / most : 0}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
