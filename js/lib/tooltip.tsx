/** A small panel beside what the pointer or the keyboard is on, kept inside the view. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** What the tooltip stands beside, in the pixels of the element that holds it. */
export type Anchor = { x: number; y: number; width: number; height: number };

type Props = { anchor: Anchor; children: ComponentChildren };

const GAP = 6;

export function Tooltip({ anchor, children }: Props): JSX.Element {
  const panel = useRef<HTMLDivElement>(null);
  const { x, y, width } = anchor;

  useLayoutEffect(() => {
    const element = panel.current!;
    // Once the page is laid out, as it is when sizes are told: to ask now would lay out all views once more.
    const observer = new ResizeObserver(() => {
      const [holder, view] = [element.offsetParent, element.closest(".rs-view")].map((one) =>
        one?.getBoundingClientRect(),
      );
      if (!holder || !view) return;
      const { offsetWidth: wide, offsetHeight: high, style } = element;
      const right = x + width + GAP;
      // Outside the view a notebook would cut it off or grow a scroll bar.
      const fitsRight = holder.left + right + wide <= view.right;
      const left = fitsRight ? right : x - GAP - wide;
      const lowest = view.bottom - holder.top - high;
      style.left = `${Math.max(view.left - holder.left, left)}px`;
      style.top = `${Math.max(view.top - holder.top, Math.min(y, lowest))}px`;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [x, y, width]);

  return (
    <div class="rs-tooltip" ref={panel} aria-hidden="true">
      {children}
    </div>
  );
}
