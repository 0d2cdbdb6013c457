/** What every block of a view is given: the numbers, what is selected, and how to select. */

import { type Scale, sequentialScale, signedScale } from "../colour";
import { inUnit, precise, preciseSigned } from "../number";
import type { Diverging } from "../palette";
import { indexOf, type Shown } from "../quantity";
import type { Header, SelectionState } from "../state";
import type { TargetWords } from "../target";
import type { Theme } from "../theme";

export type BlockProps = {
  shown: Shown;
  run: Header;
  theme: Theme;
  scale: Scale;
  target: TargetWords;
  selection: SelectionState;
  /** The width that the block may take. */
  available: number;
  select(patch: Partial<SelectionState>): void;
};

/** The scale of a block; what changes in a share or a size is told apart from what has a sign of its own. */
export function scaleOf(shown: Shown, theme: Theme, palette: Diverging): Scale {
  if (!shown.signed) return sequentialScale(shown.limit, theme);
  const changed = shown.show === "change" && shown.of.scale === "sequential";
  return signedScale(shown.limit, theme, changed ? "PuOr" : palette);
}

/** A number in a tooltip, with its unit. */
export function written(shown: Shown, value: number): string {
  return inUnit((shown.signed ? preciseSigned : precise)(value), shown.of.unit);
}

/** "before +2.10, now +3.08", where there is an untouched run to compare with. */
export function beside(shown: Shown, at: number[]): string | null {
  if (!shown.before) return null;
  const write = shown.of.scale === "signed" ? preciseSigned : precise;
  const index = indexOf(shown, at);
  return `before ${write(shown.before[index]!)}, now ${write(shown.now[index]!)}`;
}
