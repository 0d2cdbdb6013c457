/** What every view starts from: the shared state, the picture to paint, the theme, its width. */

import "./style.css";
import type { AnyModel, Host, RenderProps } from "@anywidget/types";
import { computed, effect, type ReadonlySignal, signal as signalOf } from "@preact/signals-core";
import { type ComponentChild, render } from "preact";
import { type Asker, openAsk } from "./ask";
import { switched } from "./interventions";
import { isPlain } from "./keys";
import { type Held, isStale, join, NOTHING_HELD, type Picture } from "./picture";
import { readParts } from "./reads";
import { openShared, type Shared } from "./selection";
import type { SharedTraits, Show } from "./state";
import { hideStill } from "./still";
import { followTheme, type Theme } from "./theme";
import { type Payload, readPayload } from "./wire";

export type View<Model extends SharedTraits = SharedTraits> = Shared & {
  model: AnyModel<Model>;
  signal: AbortSignal;
  /** The last complete picture: numbers and labels of one run. */
  picture: ReadonlySignal<Picture | null>;
  stale: ReadonlySignal<boolean>;
  /** Why the newest payload cannot be read, or null. */
  unreadable: ReadonlySignal<string | null>;
  theme: ReadonlySignal<Theme>;
  /** The width for content, in CSS pixels. */
  width: ReadonlySignal<number>;
  /** Why no kernel can be asked, or null: an exported page has none, and one may have gone. */
  unasked: ReadonlySignal<string | null>;
  /** Asks the kernel for what did not come with the run. */
  ask: Asker;
  /** The name by which jobs of the kernel are known to be this view's. */
  name: string;
  /** A trait of this view, as a signal: always the same one. */
  trait<K extends keyof Model & string>(name: K): ReadonlySignal<Model[K]>;
};

/**
 * Open everything a view needs and draw `content` into the host's element until `signal` ends it.
 * Every change of one of the view's signals draws it again, whatever reads the signal; a change of the selection does
 * if the view has read what changed.
 */
export function startView<Model extends SharedTraits>(
  { model, el, host, signal }: RenderProps<Model>,
  content: (view: View<Model>) => ComponentChild,
): void {
  const root = el.ownerDocument.createElement("div");
  root.className = "rs-view";
  // A click on what takes no focus of its own gives it to the view, so that its keys act.
  root.tabIndex = -1;
  // A notebook in command mode would cut the cell on x, and has commands on other letters.
  root.dataset.lmSuppressShortcuts = "true";
  el.append(root);
  root.addEventListener("keydown", keepFromNotebook);
  hideStill(el.ownerDocument, String(model.get("_still")), signal);

  const base = model as unknown as AnyModel<SharedTraits>;
  const shared = openShared(base, host, signal);
  const traits = new Map<string, ReadonlySignal<unknown>>();
  const trait = <K extends keyof Model & string>(name: K): ReadonlySignal<Model[K]> => {
    const known = traits.get(name) as ReadonlySignal<Model[K]> | undefined;
    if (known) return known;
    const value = signalOf(model.get(name));
    const refresh = () => {
      value.value = model.get(name);
    };
    model.on(`change:${name}`, refresh);
    signal.addEventListener("abort", () => model.off(`change:${name}`, refresh), { once: true });
    traits.set(name, value);
    return value;
  };

  const hasKernel = (host as (Host & { kernel?: boolean }) | undefined)?.kernel !== false;
  const { held, unreadable, stop: unfollow } = followPicture(trait("_data"), shared);
  const name = String(model.get("_still"));
  const unasked = computed(() => {
    if (!hasKernel) return "needs a kernel: open the notebook to use it";
    return shared.alive.value ? null : "the kernel is gone: run the cell again";
  });
  const view: View<Model> = {
    ...shared,
    selection: readParts(shared.selection),
    name,
    model,
    signal,
    picture: computed(() => held.value.picture),
    stale: computed(() => isStale(held.value)),
    unreadable,
    theme: followTheme(root, signal),
    width: followWidth(root, signal),
    unasked,
    ask: openAsk(base, trait("_answer"), unasked),
    trait,
  };
  followKeys(root, view);
  const { picture, stale, theme, width, selection, status, way } = view;
  const stop = effect(() => {
    const drawnFrom = [picture, stale, unreadable, theme, width, selection, status, way, unasked];
    for (const one of [...drawnFrom, ...traits.values()]) void one.value;
    try {
      render(content(view), root);
    } catch (error) {
      root.textContent = `This view failed: ${(error as Error).message}.`;
    }
  });

  const end = () => {
    unfollow();
    stop();
    render(null, root);
    root.remove();
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
}

/**
 * Keys without a modifier belong to the control that has the focus: a notebook would take arrows
 * and Enter on a slider or a button for its own commands. Ctrl+S and its like are left to it.
 */
function keepFromNotebook(event: KeyboardEvent): void {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

/** The keys of every view: x switches what is selected off, or on again; b shows what was before while it is held. */
function followKeys(root: HTMLElement, view: Shared & Pick<View, "picture" | "unasked">): void {
  let held: Show | null = null;
  const release = () => {
    if (held !== null) view.select({ show: held });
    held = null;
  };
  root.addEventListener("keydown", (event) => {
    const writes =
      event.target instanceof Element && event.target.matches("input, textarea, select");
    const run = view.picture.value?.run;
    if (!isPlain(event) || event.defaultPrevented || writes || !run?.model) return;
    const parts = switched(view.selection.value);
    if (event.key === "x" && parts.length > 0 && !event.repeat && !view.unasked.value) {
      view.intervene({ do: "switch", parts });
    } else if (event.key === "b" && held === null && run.interventions.length > 0) {
      held = view.selection.value.show;
      view.select({ show: "before" });
    }
  });
  root.addEventListener("keyup", ({ key }) => key === "b" && release());
  root.addEventListener("focusout", release);
}

function followPicture(data: ReadonlySignal<SharedTraits["_data"]>, shared: Shared) {
  const held = signalOf<Held>(NOTHING_HELD);
  const read = computed<{ payload: Payload | null; problem: string | null }>(() => {
    try {
      return { payload: readPayload(data.value), problem: null };
    } catch (error) {
      const problem = `This view cannot read its data: ${(error as Error).message}.`;
      return { payload: null, problem };
    }
  });
  const stop = effect(() => {
    held.value = join(held.peek(), read.value.payload, shared.status.value._header);
  });
  return { held, unreadable: computed(() => read.value.problem), stop };
}

function followWidth(root: HTMLElement, signal: AbortSignal): ReadonlySignal<number> {
  const measure = () => root.clientWidth - 2 * PADDING;
  const window = root.ownerDocument.defaultView!;
  const width = signalOf(Math.max(0, measure()));
  const observer = new window.ResizeObserver(() => {
    // In the next frame, because a change of size during a resize notification logs an error.
    window.requestAnimationFrame(() => {
      // A view in a hidden tab measures nothing, and keeps its picture.
      if (!signal.aborted && root.clientWidth) width.value = measure();
    });
  });
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  return width;
}

/** The room on either side in style.css. */
const PADDING = 8;
