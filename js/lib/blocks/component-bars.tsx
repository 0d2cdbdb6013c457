/** A quantity with one axis as bars: of a model's components by layer, of anything else one below the other. */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { aboutOf, nounOf } from "../components";
import { MLP_SHADE } from "../palette";
import { chosenAt, picked, tickOf } from "../quantity";
import { strongest } from "../quantity-words";
import { css } from "../rgb";
import { togglePin } from "../state";
import { type Layout, layOut } from "./bar-layout";
import { Bars } from "./bars";
import { type BlockProps, Told } from "./block";

export function BarsBlock(props: BlockProps): JSX.Element {
  const { shown, run, scale, selection } = props;
  const { dims, sizes, values, show, before } = shown;
  const [axis = ""] = dims;
  const isPart = axis === "component";
  const names = useMemo(
    () => Array.from({ length: sizes[0] ?? 0 }, (_, at) => tickOf(shown, axis, at, run)),
    [shown, run],
  );
  // What is no part of this sum, such as the moved scale of a change, has no line.
  const layout = useMemo(() => layOut(names, (at) => Number.isNaN(values[at]!)), [names, values]);
  const choose = (at: number) => {
    if (isPart) props.select({ pinned: togglePin(selection.pinned, names[at]!) });
    else props.select(picked(dims, [at], run));
  };
  const newestPin = isPart ? spokenPart(names, selection.pinned) : null;
  return (
    <div>
      {!layout.named && <Key scale={scale} layout={layout} />}
      <Bars
        name={shown.of.name}
        layout={layout}
        names={names}
        values={values}
        spread={shown.spread}
        before={show === "now" ? before : null}
        scale={scale}
        unit={shown.of.unit}
        theme={props.theme}
        available={props.available}
        pinned={isPart ? selection.pinned : []}
        head={isPart ? selection.head : null}
        start={newestPin ?? chosenAt(shown, selection, run)[0] ?? strongest(values)}
        onChoose={choose}
        onSwitch={
          isPart && props.onSwitch
            ? (at) => isBranch(names[at]!) && props.onSwitch!(names[at]!)
            : undefined
        }
        tip={(at) => <Told {...props} at={[at]} more={moreOf(names[at]!)} />}
      />
    </div>
  );
}

/** What a part is, where its name does not say all of it. */
function moreOf(name: string): string {
  const about = aboutOf(name);
  return about === name ? "" : about;
}

/** Whether a component can be switched off. */
function isBranch(name: string): boolean {
  return /^L\d+\.(attn|mlp)$/.test(name);
}

/** The part that was pinned last, if one of them was. */
export function spokenPart(names: string[], pinned: string[]): number | null {
  const at = names.indexOf(pinned.findLast((name) => names.includes(name)) ?? "");
  return at < 0 ? null : at;
}

/** Which shade is which, where bars are too thin to be named. */
function Key({ scale, layout }: { scale: BlockProps["scale"]; layout: Layout }): JSX.Element {
  const parts = new Set(layout.bands.flatMap((band) => band.lines.map((line) => line.part)));
  const full = ["attn", "mixer"].filter((part) => parts.has(part)).map(nounOf);
  const swatch = (value: number) => <i style={{ background: css(scale.at(value)) }} />;
  const pair = (words: string, share: number) => (
    <span>
      {swatch(share * scale.high)}
      {swatch(share * scale.low)} {words}
    </span>
  );
  return (
    <p class="rs-bar-key rs-soft">
      {full.length > 0 && pair(full.join(" or "), 1)}
      {parts.has("mlp") && pair(nounOf("mlp"), MLP_SHADE)}
      {parts.has("attn_bias") && <span>thin: {nounOf("attn_bias")}</span>}
    </p>
  );
}
