/** The target's value over depths, under its name. */

import type { JSX } from "preact";
import { Curve, type Size } from "../../lib/curve";
import { inUnit, number, precise, titleUnit } from "../../lib/number";
import { plain, Say, token } from "../../lib/sentence";
import type { TargetWords } from "../../lib/target";
import type { TokenName } from "../../lib/tokens";

type Props = {
  names: string[];
  values: Float32Array;
  /** Null where the target is not read. */
  rank: Int32Array | null;
  /** The token after which the target is put, where it is another than the one it is read at. */
  after: TokenName | null;
  target: TargetWords;
  depth: number | null;
  onDepth(depth: number): void;
};

const SIZE: Size = { width: 232, height: 112, left: 42, right: 8 };

export function TargetCurve(props: Props): JSX.Element {
  const { names, values, rank, after, target, depth, onDepth } = props;
  const last = values.length - 1;
  const answer = target.wrong ? "right answer" : "answer";
  return (
    <figure class="rs-lens-curve">
      <figcaption class="rs-soft">
        <Say
          words={[
            ...target.name,
            " over layers",
            ...(after ? [", after ", token(after)] : []),
            titleUnit(target.unit),
          ]}
        />
      </figcaption>
      <Curve
        size={SIZE}
        values={values}
        chosen={depth}
        tick={(step) => names[step] ?? ""}
        tip={(step) => (
          <>
            <b>{names[step]}</b> {inUnit(precise(values[step]!), target.unit)}
            {rank && (
              <>
                <br />
                {answer} at rank {rank[step]}
              </>
            )}
          </>
        )}
        onStep={onDepth}
        // The slider does the same by keyboard.
        holder={{
          role: "img",
          "aria-label": `${plain(target.name)} from ${number(values[0]!)} at ${names[0]} to ${number(values[last]!)} at ${names[last]}`,
        }}
      />
    </figure>
  );
}
