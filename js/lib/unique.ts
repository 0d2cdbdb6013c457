/** Names for elements that others point at; Preact's own repeat in every view of a page. */

import { useState } from "preact/hooks";

export function useUnique(): string {
  return useState(() => `rs-${Math.random().toString(36).slice(2)}`)[0];
}
