/** What tints the tokens: what the selected head, or all heads together, move from each token to the target. */

import { largest, type Scale, signedScale } from "../../lib/colour";
import { type Head, headName } from "../../lib/state";
import type { Theme } from "../../lib/theme";
import type { Tensor } from "../../lib/wire";

export const EFFECT = "direct effect";

export type Tint = {
  /** One number per token, a list per row. */
  rows: Float32Array[];
  scale: Scale;
  unit: string;
  /** Whose effects they are. */
  whose: string;
  /** What a number is, before it. */
  told: string;
};

/** Read the tint off `sources` [row layer head key], NaN in layers that have no heads. */
export function tintOf(
  sources: Tensor,
  head: Head | null,
  { unit, called }: { unit: string; called: string },
  theme: Theme,
): Tint {
  const [count = 0, layers = 0, heads = 0, width = 0] = sources.shape;
  const one = head && head[0] < layers && head[1] < heads ? head : null;
  const rows = Array.from({ length: count }, (_, row) => {
    // A token for which no head has a number stays blank.
    const values = new Float32Array(width).fill(Number.NaN);
    for (let at = 0; at < layers * heads; at++) {
      if (one && at !== one[0] * heads + one[1]) continue;
      const from = (row * layers * heads + at) * width;
      for (let key = 0; key < width; key++) {
        const value = sources.data[from + key]!;
        if (!Number.isNaN(value)) values[key] = (values[key] || 0) + value;
      }
    }
    return values;
  });
  const limit = Math.max(0, ...rows.map(largest));
  const whose = one ? headName(one) : "all heads";
  const told = called === EFFECT ? `${EFFECT} through ${whose}` : called;
  return { rows, scale: signedScale(limit, theme), unit, whose, told };
}
