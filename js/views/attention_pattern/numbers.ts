/** What the numbers of the map are: attention, or what it moves; how they are said, written and coloured. */

import * as words from "../../../src/residscope/data/words.json";
import { largest, type Scale, sequentialScale, signedScale } from "../../lib/colour";
import { number, precise, preciseSigned, signed } from "../../lib/number";
import { keysIn, type Pattern, share, weightAt } from "../../lib/pattern";
import type { Theme } from "../../lib/theme";
import { filled } from "../../lib/words";

export const ATTENTION = "attention";
export const COLOURS = [ATTENTION, "value-weighted", "direct effect"];

export type Numbers = {
  /** In the title row, after the head's name. */
  what: string;
  /** "looks at", "is looked at by", "looks most at". */
  takes: string;
  gives: string;
  most: string;
  /** A number in a sentence, and one in a tooltip, with the unit. */
  said(value: number): string;
  told(value: number): string;
  /** Whether the second largest is worth a word beside the largest. */
  counts(second: number, first: number): boolean;
  scale(patterns: Pattern[], hideFirst: boolean, theme: Theme): Scale;
};

const MOVED = { takes: "moves from", gives: "is moved to", most: words.most_moves };

/** The numbers of one colour; `unit` is the target's, and `causal` says that no token looks at later ones. */
export function numbersOf(colour: string, unit: string, causal: boolean): Numbers {
  const counts = (second: number, first: number) => Math.abs(second) >= 0.01 * Math.abs(first);
  if (colour === "value-weighted") {
    return {
      ...MOVED,
      what: "length of what each token (row) moves from each earlier one",
      said: (value) => filled(words.length, { value: number(value) }),
      told: (value) => filled(words.length, { value: precise(value) }),
      counts,
      scale: (patterns, hideFirst, theme) => sequentialScale(limit(patterns, hideFirst), theme),
    };
  }
  if (colour === "direct effect") {
    return {
      ...MOVED,
      what: `direct effect of what each token (row) moves from each earlier one · ${unit}`,
      said: (value) => `${signed(value)} ${unit}`,
      told: (value) => `${preciseSigned(value)} ${unit}`,
      counts,
      scale: (patterns, hideFirst, theme) => signedScale(limit(patterns, hideFirst), theme),
    };
  }
  return {
    what: `how much each token (row) looks at each ${causal ? "earlier" : "other"} one`,
    takes: "looks at",
    gives: "is looked at by",
    most: words.most_looks,
    said: share,
    told: precise,
    counts: (second) => second >= 0.005,
    scale: (patterns, hideFirst, theme) =>
      sequentialScale(hideFirst ? limit(patterns, true) : 1, theme),
  };
}

/** The largest size among all that is shown, so that pinned heads can be compared. */
function limit(patterns: Pattern[], hideFirst: boolean): number {
  return Math.max(
    0,
    ...patterns.map((pattern) => {
      if (!hideFirst) return largest(pattern.weights);
      let most = 0;
      for (let query = 0; query < pattern.length; query++) {
        for (let key = 1; key < keysIn(pattern, query); key++) {
          const size = Math.abs(weightAt(pattern, query, key));
          if (size > most) most = size;
        }
      }
      return most;
    }),
  );
}
