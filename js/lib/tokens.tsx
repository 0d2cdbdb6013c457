/** Write tokens so that every character can be seen: · for a space, ⏎ and ⇥, small caps for specials. */

import type { JSX } from "preact";
import type { Header, Row } from "./state";

export type TokenName = { text: string; special: boolean };

/** More of a text is not shown: it would push away all else, and canvas takes seconds to measure it. */
export const LONGEST = 200;

const MARKS: Record<string, string> = { " ": "·", "\n": "⏎", "\r": "⏎", "\t": "⇥" };
const HIDDEN = /(^ +| +$|[\n\r\t])/;

/** Name the token `id` of a run; `texts` adds the texts that only one payload uses. */
export function tokenName(run: Header, id: number, texts?: Record<string, string>): TokenName {
  if (id === run.bos) return { text: "BOS", special: true };
  const text = run.texts[id] ?? texts?.[id] ?? `#${id}`;
  return { text: shorten(text, LONGEST), special: run.specials.includes(id) };
}

/** The same for the token at a position of a row. */
export function tokenAt(run: Header, row: number, position: number): TokenName {
  const id = run.rows[row]?.ids[position];
  return id === undefined ? { text: "", special: false } : tokenName(run, id);
}

/** Whether the chat template added the token at a position, and not the user. */
export function isTemplate({ template }: Row, position: number): boolean {
  return template.some(([start, end]) => start <= position && position < end);
}

/** Return a token's text as one string with its spaces marked, for canvas, labels and sentences. */
export function visible(text: string): string {
  return splitMarks(text)
    .map(([part, mark]) => (mark ? marked(part) : part))
    .join("");
}

/** Cut a long text, keeping its beginning. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

export function Token({
  text,
  special = false,
}: Partial<TokenName> & { text: string }): JSX.Element {
  return (
    <bdi class={special ? "rs-token rs-special" : "rs-token"}>
      {splitMarks(text).map(([part, mark]) =>
        mark ? <span class="rs-mark">{marked(part)}</span> : part,
      )}
    </bdi>
  );
}

function splitMarks(text: string): [part: string, mark: boolean][] {
  const parts = text.split(HIDDEN).map((part, i): [string, boolean] => [part, i % 2 === 1]);
  return parts.filter(([part]) => part);
}

function marked(part: string): string {
  return [...part].map((character) => MARKS[character]).join("");
}
