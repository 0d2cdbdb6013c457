/** The cases of tests/said_views.json, as the browser has them. */

import { plain } from "../../js/lib/sentence";
import type { Head, Header, Row } from "../../js/lib/state";
import { targetOf } from "../../js/lib/target";
import { numbersOf } from "../../js/views/attention_pattern/numbers";
import { sentence as looks } from "../../js/views/attention_pattern/words";
import { sentence as maps } from "../../js/views/head_grid/words";
import type { Card } from "../../js/views/head_readout/card";
import { sentence as card } from "../../js/views/head_readout/words";
import type { Lens } from "../../js/views/logit_lens/data";
import { sentence as lens } from "../../js/views/logit_lens/words";
import { ROW, RUN } from "./quantities";

type Place = [token: string, position: number];
type Aim = Pick<Row["target"], "name" | "value" | "unit"> & { right?: string; wrong?: string };

export type LensCase = {
  about: string;
  depth: string;
  after: Place;
  top: [token: string, share: number] | null;
  aim: Aim;
  value: number | null;
  read: Place;
};
export type LooksCase = {
  about: string;
  head: Head;
  tokens: string[];
  query: number;
  weights: number[];
  key: number | null;
  colour: string;
  unit: string;
};
export type CardCase = {
  about: string;
  head: Head;
  at: Place;
  looks: [Place, number];
  writes: [string, string] | null;
  effect: number | null;
  aim: Aim;
  there: boolean;
};
export type MapsCase = {
  about: string;
  heads: Head[];
  first: number | null;
  sort: string;
  unit: string;
  patterns: number[][];
};

/** A run with tokens at some positions, and what is explained read at one of them. */
function runOf(aim: Aim, read: number, places: Place[]): Header {
  const side = (text?: string) => (text ? { ids: [0], text } : null);
  const { right, wrong, ...target } = aim;
  const ids: number[] = [];
  for (const [at, [, position]] of places.entries()) ids[position] = at;
  const row = {
    ...ROW,
    ids,
    target_position: read,
    right: side(right),
    wrong: side(wrong),
    target,
  };
  const texts = Object.fromEntries(places.map(([text], at) => [at, text]));
  const model = target.value === null ? null : ({} as Header["model"]);
  return { ...RUN, texts, rows: [row], model };
}

export const SAY = {
  lens({ depth, after, top, aim, value, read }: LensCase): string {
    const run = { ...runOf(aim, read[1], [read, after]), depths: [depth] };
    const held = {
      row: 0,
      top: () => top && { id: 0, probability: top[1] },
      name: () => ({ text: top![0], special: false }),
      target: new Float32Array([value ?? Number.NaN]),
    };
    return plain(lens(run, held as unknown as Lens, 0, after[1]));
  },
  looks({ head, tokens, query, weights, key, colour, unit }: LooksCase): string {
    const length = query + 1;
    const before = new Array((query * length) / 2).fill(0);
    const pattern = { length, weights: new Float32Array([...before, ...weights]) };
    const name = (at: number) => ({ text: tokens[at]!, special: false });
    return plain(looks(pattern, numbersOf(colour, unit, true), head, query, key, name));
  },
  card({ head, at, looks, writes, effect, aim, there }: CardCase): string {
    const [seen, weight] = looks;
    const run = runOf(aim, there ? at[1] : at[1] + 1, [seen, at]);
    const texts = { 8: writes?.[0] ?? "", 9: writes?.[1] ?? "" };
    const made: Card = {
      ...{ row: 0, head, position: at[1], shares: [], rank: 1, scores: [], effect },
      looks: [[seen[1], weight]],
      writes: writes
        ? [
            ["promotes", [[8, 1]]],
            ["suppresses", [[9, -1]]],
          ]
        : [],
    };
    return plain(card(run, made, targetOf(run.rows, 0), texts));
  },
  maps({ heads, first, sort, unit, patterns }: MapsCase): string {
    const members = heads.map((head, at) => {
      return {
        head,
        value: at === 0 ? first : null,
        pattern: {
          length: patterns[at]!.length === 3 ? 2 : 1,
          weights: new Float32Array(patterns[at]!),
        },
      };
    });
    return plain(maps(members, sort, unit, 2));
  },
};
