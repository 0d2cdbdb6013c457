/** The still picture that a notebook keeps after a widget, and that gives way to it while it lives. */

const LOOK_AGAIN_MS = [0, 300, 1500];

/** Hide the picture of this name; it comes a moment after the widget, and some hosts keep both in one page. */
export function hideStill(document: Document, name: string, signal: AbortSignal): void {
  if (!name) return;
  for (const delay of LOOK_AGAIN_MS) {
    setTimeout(() => {
      if (signal.aborted) return;
      const pictures = document.querySelectorAll<HTMLElement>(`[data-still="${CSS.escape(name)}"]`);
      for (const picture of pictures) picture.style.display = "none";
    }, delay);
  }
}
