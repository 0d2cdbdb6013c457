/** What is done to the parts of a model, in words, and which of them are off. */

import { number } from "./number";
import { type Header, headName, type Intervention, parseHead, type SelectionState } from "./state";

/** Whether a part is switched off: by itself, with its layer, or a head with its layer's attention. */
export function isOff({ interventions }: Header, name: string): boolean {
  const layer = /^L\d+/.exec(name)?.[0] ?? "";
  const whole = name === layer ? [] : [layer];
  const names = [name, ...(parseHead(name) ? [`${layer}.attn`] : []), ...whole];
  return interventions.some(
    (one) => one.do === "ablate" && one.by === 0 && one.parts.some((part) => names.includes(part)),
  );
}

/** "L3H0 off", "L3H0 at dose 0.5", "L2.mlp × 0.5", "L1.resid_post + vector × 2, at [-1]". */
export function called({ do: what, parts, by, at }: Intervention): string {
  const times = by === 1 ? "" : ` × ${number(by)}`;
  const off = by === 0 ? " off" : ` at dose ${number(by)}`;
  const done = { ablate: off, scale: ` × ${number(by)}`, steer: ` + vector${times}` }[what];
  return parts.join(", ") + done + (at ? `, ${at}` : "");
}

/** What the key x switches: the pinned parts where the selected head is one of them, else the selected head. */
export function switched({ head, pinned }: SelectionState): string[] {
  const name = head && headName(head);
  if (pinned.length > 0 && (!name || pinned.includes(name))) return pinned;
  return name ? [name] : [];
}
