/** What each layer's attention and MLP add directly to the target: bars by layer. */

import type { RenderProps } from "@anywidget/types";
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { largest, type Scale, signedScale } from "../lib/colour";
import { Frame } from "../lib/frame";
import { titleUnit } from "../lib/number";
import { type Diverging, MLP_SHADE, positiveName } from "../lib/palette";
import type { Picture } from "../lib/picture";
import { PinsSaid } from "../lib/pins-said";
import { css } from "../lib/rgb";
import { type CheckInfo, checkOf, chosenRow, meanWords, missingRow, rowOrMean } from "../lib/rows";
import { type SharedTraits, togglePin } from "../lib/state";
import { targetOf } from "../lib/target";
import { startView, type View } from "../lib/view";
import type { Tensor } from "../lib/wire";
import "./layer_attribution.css";
import { Bars } from "./layer_attribution/bars";
import { type Layout, layOut } from "./layer_attribution/layout";
import { nounOf, sentence, strongest } from "./layer_attribution/words";

/** The synced traits of `src/residscope/views/layer_attribution.py`. */
type Model = SharedTraits;

/** `labels` names the components of `values` [row component]. */
type Info = { labels: string[]; check: CheckInfo[]; unit: string };

const HELP = [
  "Each bar is what one part of the model writes into the residual stream at the position where " +
    "the target is read, projected on the target's direction after the final norm (its scale held " +
    "fixed). A layer's attention is the sum of its heads; attn_bias is what attention adds " +
    "wherever its heads look.",
  "All bars add up to the target; the sum in the title row is that check. With several prompts a " +
    "bar is their mean, and each dot is one prompt.",
  "Click a bar to pin that part by its name, which draws a dashed ring; click again to unpin. " +
    "Arrow keys move, Enter pins, Escape lets go. The edge beside a name marks the layer of the selected head.",
];

function LayerAttribution({ view }: { view: View<Model> }): JSX.Element {
  const [palette, setPalette] = useState<Diverging>("RdBu");
  const picture = view.picture.value;
  const other = palette === "RdBu" ? "PuOr" : "RdBu";
  const shown = useMemo(() => picture && read(picture), [picture]);
  const { row: wanted, head, pinned } = view.selection.value;
  const rows = picture?.run.rows ?? [];
  const row = chosenRow(wanted, rows.length);
  const drawn = useMemo(() => shown && arrange(shown, row), [shown, row]);
  const theme = view.theme.value;
  const scale = useMemo(
    () => signedScale(largest(drawn?.values ?? []), theme, palette),
    [drawn, theme, palette],
  );
  const target = targetOf(rows, row);
  const labels = shown?.info.labels ?? [];
  const newestPin = labels.indexOf(pinned.findLast((name) => labels.includes(name)) ?? "");
  const subject = newestPin < 0 && drawn ? strongest(drawn.values) : newestPin;
  const name = `${positiveName(other).toLowerCase()} for positive`;

  return (
    <Frame
      view={view}
      title="Layers"
      what={[
        picture?.run.model ? "direct effect of attention and MLPs on " : "",
        ...target.name,
        titleUnit(target.unit),
      ]}
      meta={shown && meanWords(shown.values, row)}
      check={shown && checkOf(shown.info.check, row)}
      help={HELP}
      actions={[{ label: `Colours: ${name}`, run: () => setPalette(other) }]}
      sentence={drawn ? sentence(labels, drawn.values, subject, target, palette) : ""}
      notice={missingRow(wanted, rows.length)}
    >
      {drawn && (
        <>
          <PinsSaid pinned={pinned} />
          {!drawn.layout.named && <Key scale={scale} layout={drawn.layout} />}
          <Bars
            layout={drawn.layout}
            names={labels}
            values={drawn.values}
            spread={drawn.spread}
            scale={scale}
            unit={target.unit}
            theme={theme}
            available={view.width.value}
            pinned={pinned}
            head={head}
            start={subject}
            onPin={(one) => view.select({ pinned: togglePin(view.selection.value.pinned, one) })}
          />
        </>
      )}
    </Frame>
  );
}

/** Which shade is which, where bars are too thin to be named. */
function Key({ scale, layout }: { scale: Scale; layout: Layout }): JSX.Element {
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

function arrange({ values, info }: Shown, row: number | null) {
  const rows = values.shape[0] ?? 0;
  const each = row === null ? Array.from({ length: rows }, (_, i) => rowOrMean(values, i)) : [];
  return { values: rowOrMean(values, row), spread: each, layout: layOut(info.labels) };
}

type Shown = { values: Tensor; info: Info };

function read({ payload }: Picture): Shown {
  return { values: payload.floats("values"), info: payload.info as Info };
}

function render(props: RenderProps<Model>): void {
  startView(props, (view) => <LayerAttribution view={view} />);
}

export default { render };
