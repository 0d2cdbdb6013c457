/** What is being computed: nothing at first, a thin line after a moment, words and Cancel after a second. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Job } from "./state";

const LINE_AFTER_MS = 150;
const WORDS_AFTER_MS = 1000;

type Props = { job: Job | null; onCancel: ((id: number) => void) | null };

export function ProgressLine({ job, onCancel }: Props): JSX.Element {
  const [patience, setPatience] = useState<"none" | "line" | "words">("none");
  const computing = job !== null;

  useEffect(() => {
    if (!computing) return;
    const line = setTimeout(setPatience, LINE_AFTER_MS, "line");
    const words = setTimeout(setPatience, WORDS_AFTER_MS, "words");
    return () => {
      clearTimeout(line);
      clearTimeout(words);
      setPatience("none");
    };
  }, [computing]);

  const { label = "", done = 0, total = 0 } = job ?? {};
  const share = total > 0 ? Math.min(1, done / total) : 0;
  return (
    <div class="rs-progress">
      {computing && patience !== "none" && (
        <div
          class="rs-line"
          role="progressbar"
          aria-label={`computing: ${label}`}
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={done}
          style={{ width: `${100 * Math.max(0.02, share)}%` }}
        />
      )}
      {computing && patience === "words" && (
        <div class="rs-computing">
          <span>
            {label} {Math.min(done + 1, total)} of {total}
          </span>
          {onCancel && (
            <button type="button" onClick={() => job && onCancel(job.id)}>
              Cancel
            </button>
          )}
        </div>
      )}
    </div>
  );
}
