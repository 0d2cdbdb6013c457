/** What every block of a view is given: the numbers, what is selected, and how to select. */

import type { JSX } from "preact";
import { type Scale, sequentialScale, signedScale } from "../colour";
import { inUnit, precise, preciseSigned } from "../number";
import type { Diverging } from "../palette";
import { indexOf, labelOf, nameOf, type Shown } from "../quantity";
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
  /** Switch a part off, or on again; undefined where no model can be asked. */
  onSwitch: ((part: string) => void) | undefined;
};

/** The scale of a block; a change of a share or a size gets other colours than a signed number. */
export function scaleOf(shown: Shown, theme: Theme, palette: Diverging): Scale {
  if (!shown.signed) return sequentialScale(shown.limit, theme);
  const changed = shown.show === "change" && shown.of.scale === "sequential";
  return signedScale(shown.limit, theme, changed ? "PuOr" : palette);
}

type ToldProps = Pick<BlockProps, "shown" | "run"> & { at: number[]; more?: string };

/** A cell in a tooltip: its name, its number with the unit, what else there is to say of it, and the untouched run's. */
export function Told({ shown, run, at, more }: ToldProps): JSX.Element {
  const index = indexOf(shown, at);
  const text = labelOf(shown, index);
  const write = shown.signed ? preciseSigned : precise;
  return (
    <>
      <b>{nameOf(shown, at, run)}</b> {text ? `${text} ` : null}
      {inUnit(write(shown.values[index]!), shown.of.unit)}
      {[more, beside(shown, index)].map(
        (line) =>
          line && (
            <>
              <br />
              <span class="rs-soft">{line}</span>
            </>
          ),
      )}
    </>
  );
}

/** "before +2.10, now +3.08", where there is an untouched run to compare with. */
function beside({ of, before, now }: Shown, index: number): string | null {
  if (!before) return null;
  const write = of.scale === "signed" ? preciseSigned : precise;
  return `before ${write(before[index]!)}, now ${write(now[index]!)}`;
}
