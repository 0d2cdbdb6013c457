/** A small panel beside what the pointer or the keyboard is on, kept inside the view. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** What the tooltip stands beside, in the pixels of the element that holds it. */
export type Anchor = { x: number; y: number; width: number; height: number };

type Props = { anchor: Anchor; children: ComponentChildren };

const GAP = 6;

export function Tooltip({ anchor, children }: Props): JSX.Element {
  const panel = useRef<HTMLDivElement>(null);
  const { x, y, width, height } = anchor;

  useLayoutEffect(() => {
    const element = panel.current!;
    // Once the page is laid out, as it is when sizes are told: to ask now would lay out all views once more.
    const observer = new ResizeObserver(() => place(element, { x, y, width, height }));
    observer.observe(element);
    return () => observer.disconnect();
  }, [x, y, width, height]);

  return (
    <div class="rs-tooltip" ref={panel} aria-hidden="true">
      {children}
    </div>
  );
}

/** Outside the view a notebook would cut it off or grow a scroll bar. */
function place(element: HTMLElement, anchor: Anchor): void {
  const view = element.closest(".rs-view");
  if (!element.offsetParent || !view) return;
  const inside = element.offsetParent.getBoundingClientRect();
  const outside = view.getBoundingClientRect();
  const [width, height] = [element.offsetWidth, element.offsetHeight];
  const right = anchor.x + anchor.width + GAP;
  const fitsRight = inside.left + right + width <= outside.right;
  const left = fitsRight ? right : anchor.x - GAP - width;
  const least = outside.left - inside.left;
  const lowest = outside.bottom - inside.top - height;
  const top = Math.max(outside.top - inside.top, Math.min(anchor.y, lowest));
  element.style.left = `${Math.max(least, left)}px`;
  element.style.top = `${top}px`;
}
