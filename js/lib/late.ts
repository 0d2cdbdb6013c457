/** Whether something has been waited for long enough to be said. */

import { useEffect, useState } from "preact/hooks";

const WAIT_MS = 150;

/** Whether `wanted` has been missing for a moment; null is nothing. */
export function useLate(wanted: string | null): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!wanted) return;
    const timer = setTimeout(setLate, WAIT_MS, true);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [wanted]);
  return late;
}
