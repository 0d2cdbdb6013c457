/** The pinned heads beside the map: small pictures to compare with, each of which selects its head. */

import type { JSX } from "preact";
import type { Scale } from "../../lib/colour";
import { hasAttention } from "../../lib/pattern";
import { headName } from "../../lib/state";
import type { Theme } from "../../lib/theme";
import { Thumbnail } from "../../lib/thumbnail";
import type { Pin } from "./row-maps";

type PinProps = {
  pin: Pin;
  chosen: boolean;
  /** The query whose row is marked. */
  query: number | null;
  scale: Scale;
  hideFirst: boolean;
  theme: Theme;
  onSelect(): void;
  onUnpin(): void;
};

const SIDE = 112;

export function PinnedHead(props: PinProps): JSX.Element {
  const { pin, chosen, query, scale, hideFirst, theme } = props;
  const { head, pattern, inRun } = pin;
  const name = headName(head);
  const without = pattern && !hasAttention(pattern);
  const said = !inRun ? "not in this run" : without ? "no attention" : null;
  const length = pattern?.length ?? 0;
  return (
    <li>
      <button type="button" aria-pressed={chosen} onClick={props.onSelect}>
        {name}
        <Thumbnail {...{ pattern, query, length, scale, hideFirst, theme }} side={SIDE} />
        {said && <span class="rs-soft">{said}</span>}
      </button>
      <button type="button" aria-label={`unpin ${name}`} onClick={props.onUnpin}>
        ×
      </button>
    </li>
  );
}
