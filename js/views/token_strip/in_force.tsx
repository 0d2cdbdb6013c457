/** The interventions on the model's parts, one chip each: its kind, its dose, and a button that undoes it. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { needsKernel } from "../../lib/frame";
import { called } from "../../lib/interventions";
import { number } from "../../lib/number";
import type { Header, Intervention } from "../../lib/state";
import type { View } from "../../lib/view";

const KINDS = ["mean", "zero", "resample"];
const KINDS_ARE =
  "what replaces the part: its mean over prompts, zeros, or its value in another prompt";

// biome-ignore lint/suspicious/noExplicitAny: of any model
type Props = { view: View<any>; run: Header };

export function InForce({ view, run }: Props): JSX.Element | null {
  if (run.interventions.length === 0) return null;
  return (
    <div class="rs-in-force" role="group" aria-label="current interventions">
      {run.interventions.map((one) => (
        <Chip key={one.parts.join()} view={view} one={one} />
      ))}
      <button
        type="button"
        class="rs-button"
        {...needsKernel(view)}
        onClick={() => view.intervene({ do: "reset" })}
      >
        reset
      </button>
    </div>
  );
}

function Chip({ view, one }: { view: Props["view"]; one: Intervention }): JSX.Element {
  const [dose, setDose] = useState<number | null>(null);
  const words = called(one);
  const needs = needsKernel(view);
  const ablate = (how: { kind?: string; dose?: number }) =>
    view.intervene({ do: "ablate", parts: one.parts, ...how });
  return (
    <span class="rs-intervention">
      <span>{words}</span>
      {one.do === "ablate" && (
        <>
          <select
            aria-label={`kind of ${words}`}
            title={KINDS_ARE}
            value={one.kind}
            disabled={needs.disabled}
            onChange={({ currentTarget }) => ablate({ kind: currentTarget.value, dose: one.by })}
          >
            {KINDS.map((kind) => (
              <option key={kind}>{kind}</option>
            ))}
          </select>
          <input
            type="range"
            min={0}
            max={2}
            step={0.05}
            value={dose ?? one.by}
            aria-label={`dose of ${one.parts.join(", ")}`}
            title={`dose ${number(dose ?? one.by)}: 0 is off, 1 is unchanged, 2 is twice as far from off`}
            disabled={needs.disabled}
            onInput={({ currentTarget }) => setDose(Number(currentTarget.value))}
            onChange={({ currentTarget }) => {
              setDose(null);
              ablate({ dose: Number(currentTarget.value) });
            }}
          />
        </>
      )}
      <button
        type="button"
        class="rs-round"
        aria-label={`undo ${words}`}
        {...needs}
        onClick={() => view.intervene({ do: "reset", parts: one.parts })}
      >
        ×
      </button>
    </span>
  );
}
