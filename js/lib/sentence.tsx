/** A sentence made of words, numbers and tokens: shown, spoken and copied from one source. */

import type { JSX } from "preact";
import { LONGEST, shorten, Token, type TokenName, visible } from "./tokens";

export type Part = string | { strong: string } | { token: TokenName };

/** A line of text, or one with emphasis and tokens in it. */
export type Words = string | Part[];

export function strong(text: string): Part {
  return { strong: text };
}

export function token(name: TokenName | string): Part {
  const named = typeof name === "string" ? { text: shorten(name, LONGEST), special: false } : name;
  return { token: named };
}

export function plain(words: Words): string {
  return asParts(words)
    .map((part) => {
      if (typeof part === "string") return part;
      return "strong" in part ? part.strong : visible(part.token.text);
    })
    .join("");
}

export function Say({ words }: { words: Words }): JSX.Element {
  return (
    <>
      {asParts(words).map((part) => {
        // Preact writes an empty text anew each time, and the line is laid out.
        if (typeof part === "string") return part || null;
        return "strong" in part ? <b>{part.strong}</b> : <Token {...part.token} />;
      })}
    </>
  );
}

function asParts(words: Words): Part[] {
  return typeof words === "string" ? [words] : words;
}
