/** A quantity along layers or depths as a curve: click and arrow keys move the slider of all views. */

import type { JSX } from "preact";
import { Curve } from "../curve";
import { isPlain } from "../keys";
import { inUnit, precise } from "../number";
import { chosenAt, picked, tickOf } from "../quantity";
import { type BlockProps, Told } from "./block";

const WIDEST = 420;

export function CurveBlock(props: BlockProps): JSX.Element {
  const { shown, run, selection } = props;
  const { dims, sizes, values, before, spread, show, of } = shown;
  const last = sizes[0]! - 1;
  const [chosen = null] = chosenAt(shown, selection, run);
  const select = (step: number) => props.select(picked(dims, [step], run));
  const press = (event: KeyboardEvent) => {
    if (!isPlain(event)) return;
    const at = chosen ?? last;
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (to === undefined) return;
    select(Math.min(last, Math.max(0, to)));
    event.preventDefault();
    event.stopPropagation();
  };
  const tick = (step: number) => tickOf(shown, dims[0]!, step, run);
  return (
    <Curve
      size={{ width: Math.min(WIDEST, props.available), height: 140, left: 48, right: 12 }}
      values={values}
      spread={spread}
      before={show === "now" ? before : null}
      chosen={chosen}
      tick={tick}
      tip={(step) => <Told {...props} at={[step]} />}
      onStep={select}
      holder={{
        role: "slider",
        "aria-label": `${of.name} over ${dims[0]}s`,
        "aria-orientation": "horizontal",
        "aria-valuemin": 0,
        "aria-valuemax": last,
        "aria-valuenow": chosen ?? 0,
        "aria-valuetext":
          chosen === null
            ? "nothing is selected here"
            : `${tick(chosen)}: ${inUnit(precise(values[chosen]!), of.unit)}`,
        tabIndex: 0,
        onKeyDown: press,
      }}
    />
  );
}
