/** When a canvas must be painted again although nothing it shows has changed. */

import { useEffect, useState } from "preact/hooks";

/** The screen's pixel ratio, and a count of how often the element came back into sight. */
export function useScreen(element: { current: HTMLElement | null }): {
  ratio: number;
  seen: number;
} {
  const window = element.current?.ownerDocument.defaultView ?? globalThis.window;
  const [ratio, setRatio] = useState(window.devicePixelRatio);
  const [seen, setSeen] = useState(0);

  useEffect(() => {
    const query = window.matchMedia(`(resolution: ${ratio}dppx)`);
    const change = () => setRatio(window.devicePixelRatio);
    query.addEventListener("change", change, { once: true });
    return () => query.removeEventListener("change", change);
  }, [window, ratio]);

  useEffect(() => {
    if (!element.current) return;
    // A notebook takes cells out of the page as they scroll away, and canvases may come back blank.
    let away = false;
    const observer = new IntersectionObserver((entries) => {
      const back = away;
      away = !entries.at(-1)!.isIntersecting;
      if (back && !away) setSeen((count) => count + 1);
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);

  return { ratio, seen };
}
