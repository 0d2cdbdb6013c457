/** The menu's line that pins a head, or unpins it. */

import type { Action } from "./menu";
import type { Shared } from "./selection";
import { type Head, headName, togglePin } from "./state";

export function pinActions(
  { selection, select }: Pick<Shared, "selection" | "select">,
  head: Head | null,
): Action[] {
  if (!head) return [];
  const { pinned } = selection.value;
  const name = headName(head);
  return [
    {
      label: `${pinned.includes(name) ? "Unpin" : "Pin"} ${name}`,
      run: () => select({ pinned: togglePin(selection.value.pinned, name) }),
    },
  ];
}
