/** One widget model outside Jupyter: what anywidget's front-end interface asks of a model. */

type Handler = (...args: unknown[]) => void;
export type State = Record<string, unknown>;

export class PageModel {
  readonly id: string;
  #state: State;
  #changed: State = {};
  #handlers = new Map<string, Set<Handler>>();
  #onSave: (changes: State) => void;
  #onSend: (content: unknown) => void;
  readonly widget_manager: { get_model(id: string): Promise<PageModel> };

  constructor(
    id: string,
    state: State,
    models: Map<string, PageModel>,
    onSave: (changes: State) => void,
    onSend: (content: unknown) => void,
  ) {
    this.id = id;
    this.#state = state;
    this.#onSave = onSave;
    this.#onSend = onSend;
    this.widget_manager = {
      async get_model(wanted) {
        const model = models.get(wanted.replace(/^IPY_MODEL_/, ""));
        if (!model) throw new Error(`no model ${wanted}`);
        return model;
      },
    };
  }

  get(key: string): unknown {
    return this.#state[key];
  }

  set(key: string | State, value?: unknown): void {
    const patch = typeof key === "string" ? { [key]: value } : key;
    const changes = Object.entries(patch).filter(([name, next]) => !same(this.#state[name], next));
    for (const [name, next] of changes) {
      this.#state[name] = next;
      this.#changed[name] = next;
    }
    for (const [name, next] of changes) this.#trigger(`change:${name}`, this, next);
    if (changes.length) this.#trigger("change", this);
  }

  save_changes(): void {
    const changes = this.#changed;
    this.#changed = {};
    if (Object.keys(changes).length) this.#onSave(changes);
  }

  send(content: unknown): void {
    this.#onSend(content);
  }

  /** Take state from outside, as a message from a kernel would bring it. */
  receive(patch: State): void {
    this.set(patch);
    for (const name of Object.keys(patch)) delete this.#changed[name];
  }

  on(events: string, handler: Handler): void {
    for (const event of events.split(" ")) {
      const handlers = this.#handlers.get(event) ?? new Set();
      this.#handlers.set(event, handlers.add(handler));
    }
  }

  off(events?: string | null, handler?: Handler | null): void {
    if (!events) this.#handlers.clear();
    else if (!handler) this.#handlers.delete(events);
    else this.#handlers.get(events)?.delete(handler);
  }

  #trigger(event: string, ...args: unknown[]): void {
    for (const handler of [...(this.#handlers.get(event) ?? [])]) handler(...args);
  }
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
