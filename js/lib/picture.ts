/** Join a view's payload with the run it belongs to, whatever order messages arrive in. */

import type { Header } from "./state";
import type { Payload } from "./wire";

/** What is painted: numbers and labels of one run. */
export type Picture = { payload: Payload; run: Header };

export type Held = {
  payload: Payload | null;
  run: Header | null;
  /** The last complete picture. */
  picture: Picture | null;
};

export const NOTHING_HELD: Held = { payload: null, run: null, picture: null };

/** Return what is held after `payload` and `run` were seen, either of which may be old or missing. */
export function join(held: Held, payload: Payload | null, run: Header | null): Held {
  const newest: Held = {
    payload: payload && payload.run >= (held.payload?.run ?? 0) ? payload : held.payload,
    run: run && run.number >= (held.run?.number ?? 0) ? run : held.run,
    picture: held.picture,
  };
  const { payload: numbers, run: labels } = newest;
  if (!numbers || !labels || numbers.run !== labels.number) return newest;
  if (held.picture?.payload === numbers && held.picture.run === labels) return newest;
  return { ...newest, picture: { payload: numbers, run: labels } };
}

/** Whether the picture is of an older run than something that has already arrived. */
export function isStale({ payload, run, picture }: Held): boolean {
  if (!picture) return false;
  const shown = picture.run.number;
  return (payload?.run ?? 0) > shown || (run?.number ?? 0) > shown;
}
