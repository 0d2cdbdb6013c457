/** How pointers differ. */

/** Whether what a pointer showed goes when it leaves: a finger leaves at the end of each tap. */
export function leaves(event: PointerEvent): boolean {
  return event.pointerType !== "touch";
}
