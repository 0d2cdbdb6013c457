/** The slider over depths, and the button that plays through them. */

import type { JSX, TargetedInputEvent } from "preact";
import { useEffect, useState } from "preact/hooks";

const STEP_MS = 600;

type Props = {
  names: string[];
  /** Null when the selected depth is not in this run. */
  depth: number | null;
  onDepth(depth: number): void;
};

export function DepthControls({ names, depth, onDepth }: Props): JSX.Element {
  const [playing, setPlaying] = useState(false);
  const last = names.length - 1;
  const at = depth ?? last;

  useEffect(() => {
    if (!playing) return;
    if (at >= last) {
      setPlaying(false);
      return;
    }
    const timer = setTimeout(() => onDepth(at + 1), STEP_MS);
    return () => clearTimeout(timer);
  }, [playing, at, last, onDepth]);

  const play = () => {
    if (!playing && at >= last) onDepth(0);
    setPlaying(!playing);
  };
  const slide = (event: TargetedInputEvent<HTMLInputElement>) => {
    setPlaying(false);
    onDepth(event.currentTarget.valueAsNumber);
  };
  return (
    <div class="rs-lens-controls">
      <span>layer</span>
      <button
        type="button"
        class="rs-round"
        aria-label={playing ? "pause" : "play through the layers"}
        onClick={play}
      >
        <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
          <path d={playing ? "M2 1h2v8H2zM6 1h2v8H6z" : "M2.5 1v8l6-4z"} fill="currentColor" />
        </svg>
      </button>
      <input
        aria-label="layer"
        type="range"
        min={0}
        max={last}
        step={1}
        value={at}
        aria-valuetext={names[at]}
        onInput={slide}
      />
      <b>{depth === null ? "–" : names[depth]}</b>
    </div>
  );
}
