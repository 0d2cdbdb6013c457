/** Where an element stands within the one that holds it, for its tooltip. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Anchor } from "./tooltip";

/** Follow the element with an id; `scroll` brings it into sight. Measured anew when `drawn` is another. */
export function useAnchor(id: string | null, scroll: boolean, drawn: unknown) {
  const holder = useRef<HTMLDivElement>(null);
  const [anchor, setAnchor] = useState<Anchor | null>(null);
  useLayoutEffect(() => {
    const element = id && holder.current?.querySelector(`[id="${id}"]`);
    if (!element) return setAnchor(null);
    if (scroll) element.scrollIntoView({ block: "nearest" });
    const from = holder.current!.getBoundingClientRect();
    const { left, top, width, height } = element.getBoundingClientRect();
    setAnchor({ x: left - from.left, y: top - from.top, width, height });
  }, [id, drawn]);
  return { holder, anchor };
}
