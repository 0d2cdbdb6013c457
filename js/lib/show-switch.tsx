/** The switch between a number, the untouched run's, and the change from one to the other: one for all views. */

import type { JSX } from "preact";
import type { Shared } from "./selection";
import type { Show } from "./state";

const WAYS: [show: Show, about: string][] = [
  ["now", "the numbers of this run"],
  ["before", "the numbers of the untouched run"],
  ["change", "now minus before"],
];

type Props = Pick<Shared, "selection" | "select">;

export function ShowSwitch({ selection, select }: Props): JSX.Element {
  return (
    <span class="rs-switch" role="group" aria-label="show">
      {WAYS.map(([show, about]) => (
        <button
          key={show}
          type="button"
          class="rs-button"
          title={about}
          aria-pressed={selection.value.show === show}
          onClick={() => select({ show })}
        >
          {show}
        </button>
      ))}
    </span>
  );
}
