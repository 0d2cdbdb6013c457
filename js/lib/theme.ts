/** Follow the host's theme: the colours and fonts that canvas needs, and light or dark for CSS. */

import { type ReadonlySignal, signal as signalOf } from "@preact/signals-core";
import { luminance, type Rgb } from "./rgb";

export type Theme = {
  dark: boolean;
  page: Rgb;
  ink: Rgb;
  soft: Rgb;
  hair: Rgb;
  accent: Rgb;
  uiFont: string;
  codeFont: string;
};

const PAGE_VARIABLES = ["--jp-layout-color0", "--vscode-editor-background"];
const WATCHED = [
  "class",
  "style",
  "theme",
  "data-theme",
  "data-jp-theme-name",
  "data-jp-theme-light",
  "data-vscode-theme-kind",
];

/**
 * Keep `root` marked light or dark, and return the theme as it changes. It is read when the change
 * happens and by no timer, because those of a busy page come late.
 */
export function followTheme(root: HTMLElement, signal: AbortSignal): ReadonlySignal<Theme> {
  const document = root.ownerDocument;
  const window = document.defaultView!;
  const theme = signalOf(readTheme(root));
  const refresh = () => {
    // Out of the page an element has no style; a notebook takes cells out and puts them back.
    if (signal.aborted || !root.isConnected) return;
    const next = readTheme(root);
    if (JSON.stringify(next) !== JSON.stringify(theme.peek())) theme.value = next;
  };
  const marks = new window.MutationObserver(refresh);
  for (const node of [document.documentElement, document.body]) {
    marks.observe(node, { attributes: true, attributeFilter: WATCHED });
  }
  // A host may mark its page before the new style sheet is in force. Its load does not bubble.
  const isSheet = ({ target }: Event) =>
    target instanceof window.HTMLLinkElement || target instanceof window.HTMLStyleElement;
  const loaded = (event: Event) => isSheet(event) && refresh();
  document.addEventListener("load", loaded, { capture: true, signal });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh, { signal });
  // Its place in the page may come after the first reading, or come back.
  let laidOut = false;
  const place = new window.ResizeObserver(() => {
    const came = root.clientWidth > 0 && !laidOut;
    laidOut = root.clientWidth > 0;
    // In the next frame, because a change of size during a resize notification logs an error.
    if (came) window.requestAnimationFrame(refresh);
  });
  place.observe(root);
  const end = () => {
    marks.disconnect();
    place.disconnect();
  };
  signal.addEventListener("abort", end, { once: true });
  return theme;
}

function readTheme(root: HTMLElement): Theme {
  const window = root.ownerDocument.defaultView!;
  const page = hostPage(root, window);
  if (page) root.style.setProperty("--rs-host-page", `rgb(${page.join(" ")})`);
  else root.style.removeProperty("--rs-host-page");
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const dark = page ? luminance(page) < 0.2 : prefersDark;
  root.dataset.theme = dark ? "dark" : "light";

  const style = window.getComputedStyle(root);
  const ground = readRgb(root, style.backgroundColor) ?? (dark ? [0, 0, 0] : [255, 255, 255]);
  const colour = (name: string): Rgb => readRgb(root, style.getPropertyValue(name), ground)!;
  return {
    dark,
    page: ground,
    ink: colour("--rs-ink"),
    soft: colour("--rs-soft"),
    hair: colour("--rs-hair"),
    accent: colour("--rs-accent"),
    uiFont: style.fontFamily,
    codeFont: style.getPropertyValue("--rs-code-font"),
  };
}

/** The colour the view stands on: what the host names, else what is painted behind it. */
function hostPage(root: HTMLElement, window: Window): Rgb | null {
  const style = window.getComputedStyle(root);
  for (const name of PAGE_VARIABLES) {
    const named = style.getPropertyValue(name).trim();
    if (named) return readRgb(root, named);
  }
  let node: Node | null = root.parentNode;
  while (node) {
    if (node.nodeType === node.ELEMENT_NODE) {
      const painted = window.getComputedStyle(node as Element).backgroundColor;
      const alpha = /rgba\(.*,\s*([\d.]+)\)/.exec(painted)?.[1] ?? "1";
      if (Number(alpha) === 1 && painted) return readRgb(root, painted);
    }
    // marimo draws views in a shadow root, whose host carries on the chain.
    node = node.parentNode ?? (node as Partial<ShadowRoot>).host ?? null;
  }
  return null;
}

/** Read any CSS colour by painting one pixel of it over `ground`. */
function readRgb(root: HTMLElement, colour: string, ground?: Rgb): Rgb | null {
  const canvas = root.ownerDocument.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return null;
  for (const layer of [ground ? `rgb(${ground.join(" ")})` : "", colour.trim()]) {
    if (!layer) continue;
    context.fillStyle = layer;
    context.fillRect(0, 0, 1, 1);
  }
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return alpha ? [red!, green!, blue!] : (ground ?? null);
}
