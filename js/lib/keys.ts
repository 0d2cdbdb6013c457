/** Which keys a view takes, and which it leaves to the page and the notebook. */

type Pressed = Pick<KeyboardEvent, "key" | "altKey" | "ctrlKey" | "metaKey">;

/** Whether a key comes without Ctrl, Cmd or Alt, which make it the notebook's or the browser's. */
export function isPlain({ altKey, ctrlKey, metaKey }: Pressed): boolean {
  return !altKey && !ctrlKey && !metaKey;
}

/** The same, and the two that lead to a map's corners. */
export function isForMap(event: Pressed): boolean {
  return isPlain(event) || (!event.altKey && (event.key === "Home" || event.key === "End"));
}
