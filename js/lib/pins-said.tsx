/** Says aloud what was pinned or unpinned, in the view that has the keyboard. */

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export function PinsSaid({ pinned }: { pinned: string[] }): JSX.Element {
  const line = useRef<HTMLParagraphElement>(null);
  const before = useRef(pinned);
  useLayoutEffect(() => {
    const was = before.current;
    before.current = pinned;
    const more = pinned.filter((name) => !was.includes(name)).map((name) => `${name} pinned`);
    const less = was.filter((name) => !pinned.includes(name)).map((name) => `${name} unpinned`);
    const element = line.current;
    // Each view of a page hears of it, and one of them is enough.
    if (!element?.closest(".rs-view")?.matches(":focus-within")) return;
    if (more.length + less.length > 0) element.textContent = [...more, ...less].join(", ");
  }, [pinned]);
  return <p class="rs-unseen" aria-live="polite" ref={line} />;
}
