/** A choice between a few named things that the kernel answers: a trait of the view, as a menu of the page. */

import type { JSX } from "preact";
import { needsKernel } from "./frame";
import type { SharedTraits } from "./state";
import type { View } from "./view";

type Props = {
  // biome-ignore lint/suspicious/noExplicitAny: a view of any model
  view: View<any>;
  trait: string;
  label: string;
  options: readonly string[];
  /** Whether a model must answer; of arrays there is no such choice. */
  ofModel?: boolean;
};

export function Choice({ view, trait, label, options, ofModel = true }: Props): JSX.Element | null {
  if (ofModel && view.picture.value?.run.model === null) return null;
  const chosen = view.trait<keyof SharedTraits>(trait as keyof SharedTraits).value as string;
  return (
    <label class="rs-choice">
      {label}{" "}
      <select
        aria-label={label}
        {...needsKernel(view)}
        onChange={(event) => {
          view.model.set(trait, event.currentTarget.value);
          view.model.save_changes();
        }}
      >
        {options.map((option) => (
          <option key={option} selected={option === chosen}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}
