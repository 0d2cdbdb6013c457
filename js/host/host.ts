/**
 * The page that runs views without Jupyter: an exported file, and the tests.
 *
 * It reads `<script type="application/json" id="residscope-models">`, a list of `Baked` models, and
 * draws each one that has an `esm` into the element whose `data-model` is its id.
 */

import { PageModel, type State } from "./model";

/** A model as JSON: bytes are `{"$bytes": "<base64>"}`; `esm` is a bundle's text or its address. */
type Baked = { id: string; esm?: string; css?: string; state: State };

type Saved = { id: string; changes: State };
type Sent = { id: string; content: unknown };

type Widget = {
  initialize?(props: object): unknown;
  render?(props: object): Promise<undefined | (() => void)>;
};

type Host = {
  /** No kernel stands behind this page; views show what needs one as disabled. */
  kernel: boolean;
  getModel(ref: string): Promise<PageModel>;
  getWidget(ref: string): Promise<{ exports: unknown; render(opts: RenderOptions): Promise<void> }>;
};

type RenderOptions = { el: HTMLElement; signal?: AbortSignal };

const PREFIX = "anywidget:";

/** Build the models and draw the views; returns what a test reads and writes. */
export async function runPage(document: Document) {
  const baked = readBaked(document);
  const models = new Map<string, PageModel>();
  const saved: Saved[] = [];
  const sent: Sent[] = [];
  const closing = new AbortController();
  for (const { id, state } of baked) {
    const onSave = (changes: State) => saved.push({ id, changes });
    const onSend = (content: unknown) => sent.push({ id, content });
    models.set(id, new PageModel(id, revive(state) as State, models, onSave, onSend));
  }

  const modelOf = (ref: string): PageModel => {
    const model = ref.startsWith(PREFIX) ? models.get(ref.slice(PREFIX.length)) : undefined;
    if (!model) throw new Error(`no model ${ref}`);
    return model;
  };
  const widgets = new Map<string, Promise<Widget>>();
  const host: Host = {
    kernel: document.documentElement.dataset.kernel === "true",
    getModel: async (ref) => modelOf(ref),
    async getWidget(ref) {
      const model = modelOf(ref);
      const widget = await widgets.get(model.id);
      if (!widget) throw new Error(`${ref} has no view`);
      return {
        exports: undefined,
        async render({ el, signal }) {
          const until = AbortSignal.any([closing.signal, ...(signal ? [signal] : [])]);
          const cleanUp = await widget.render?.({
            model,
            el,
            signal: until,
            host,
            experimental: {},
          });
          if (cleanUp) until.addEventListener("abort", cleanUp, { once: true });
        },
      };
    },
  };

  for (const css of new Set(baked.map((one) => one.css ?? ""))) addStyle(document, css);
  for (const { id, esm } of baked) {
    if (esm) widgets.set(id, load(esm, models.get(id)!, closing.signal));
  }
  for (const el of document.querySelectorAll<HTMLElement>("[data-model]")) {
    const widget = await host.getWidget(PREFIX + el.dataset.model);
    await widget.render({ el });
  }
  return {
    models,
    saved,
    sent,
    setState: (id: string, patch: State) => models.get(id)?.receive(revive(patch) as State),
    close: () => closing.abort(),
  };
}

function readBaked(document: Document): Baked[] {
  const script = document.getElementById("residscope-models");
  return JSON.parse(script?.textContent ?? "[]");
}

/** Turn `{"$bytes": ...}` into a DataView, at any depth. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  if ("$bytes" in value) {
    const bytes = Uint8Array.from(atob(String(value.$bytes)), (letter) => letter.charCodeAt(0));
    return new DataView(bytes.buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

async function load(esm: string, model: PageModel, signal: AbortSignal): Promise<Widget> {
  const isAddress = /^(https?:|\/|\.)/.test(esm) && !esm.includes("\n");
  const url = isAddress ? esm : URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = await import(url);
  if (!isAddress) URL.revokeObjectURL(url);
  const made = module.default;
  const widget: Widget = typeof made === "function" ? await made() : made;
  await widget.initialize?.({ model, signal, experimental: {} });
  return widget;
}

function addStyle(document: Document, css: string): void {
  if (!css) return;
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
}

declare global {
  interface Window {
    residscope: Awaited<ReturnType<typeof runPage>>;
  }
}

window.residscope = await runPage(document);
