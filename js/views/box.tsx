/** Rows, columns and the workbench: a box that mounts views by reference. */

import type { AnyModel, Host, RenderProps } from "@anywidget/types";
import { hideStill } from "../lib/still";
import "./box.css";

/** The synced traits of `src/residscope/views/boxes.py`. */
type Model = {
  children: string[];
  _layout: "row" | "column" | "workbench";
  _areas: string[];
  _still: string;
};

/** What JupyterLab's manager offers beyond anywidget's interface. */
type Manager = {
  get_model(id: string): Promise<AnyModel>;
  create_view?(model: AnyModel): Promise<{ el: HTMLElement; remove(): void }>;
};

function render({ model, el, host, signal }: RenderProps<Model>): void {
  const document = el.ownerDocument;
  const box = document.createElement("div");
  box.className = "rs-box";
  // Within the container that is measured, because a container query cannot style the container.
  const slots = document.createElement("div");
  box.append(slots);
  if (signal.aborted) return;
  el.append(box);
  hideStill(document, model.get("_still"), signal);

  let mounted = new AbortController();
  const fill = () => {
    mounted.abort();
    mounted = new AbortController();
    slots.replaceChildren();
    slots.className = `rs-${model.get("_layout")}`;
    const areas = model.get("_areas");
    for (const [i, ref] of model.get("children").entries()) {
      const slot = document.createElement("div");
      slot.className = "rs-slot";
      const area = areas[i] ?? "";
      slot.dataset.area = area;
      slot.style.setProperty("--rs-area", area || "auto");
      slots.append(slot);
      const failed = new AbortController();
      const until = AbortSignal.any([mounted.signal, failed.signal]);
      mount(ref, slot, model.widget_manager, host, until).catch((error) => {
        if (until.aborted) return;
        failed.abort();
        refuse(slot, error);
      });
    }
  };
  const end = () => {
    mounted.abort();
    model.off("change:children", fill);
    box.remove();
  };
  signal.addEventListener("abort", end, { once: true });
  model.on("change:children", fill);
  fill();
}

async function mount(
  ref: string,
  slot: HTMLElement,
  manager: Manager | undefined,
  host: Partial<Host> | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (host?.getWidget) {
    const widget = await host.getWidget(ref);
    if (!signal.aborted) await widget.render({ el: slot, signal });
    return;
  }
  if (!manager?.create_view) throw new Error("this page cannot nest widgets");
  const model = await manager.get_model(ref.replace(/^(anywidget:|IPY_MODEL_)/, ""));
  const view = await manager.create_view(model);
  if (signal.aborted) return view.remove();
  signal.addEventListener("abort", () => view.remove(), { once: true });
  slot.append(view.el);
}

function refuse(slot: HTMLElement, error: unknown): void {
  const line = slot.ownerDocument.createElement("p");
  line.className = "rs-refused";
  const reason = error instanceof Error ? error.message : String(error);
  line.textContent = `This view cannot be shown here: ${reason}.`;
  slot.replaceChildren(line);
}

export default { render };
