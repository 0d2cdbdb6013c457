/** Open the shared `Selection` and `Status`; the only module that knows how a host shares them. */

import type { AnyModel, Host } from "@anywidget/types";
import { batch, type ReadonlySignal, signal as signalOf } from "@preact/signals-core";
import { same } from "./same";
import {
  type Gesture,
  NO_STATUS,
  NOTHING_SELECTED,
  type SelectionState,
  type SharedTraits,
  type StatusState,
} from "./state";

export type Shared = {
  selection: ReadonlySignal<SelectionState>;
  status: ReadonlySignal<StatusState>;
  /** How the two are shared; "opening" until a host has answered. */
  way: ReadonlySignal<"opening" | "reference" | "mirror">;
  /** Whether a kernel still holds the two, as far as the host tells. */
  alive: ReadonlySignal<boolean>;
  /** Set what one gesture selects, in one message; nothing is sent when nothing changes. */
  select(patch: Partial<SelectionState>): void;
  /** Stop a job. */
  cancel(id: number): void;
  /** Ask for another run of the history. */
  go(to: number): void;
  /** Switch parts of the model off, or on again. */
  intervene(gesture: Gesture): void;
};

type AnyState = AnyModel<Record<string, unknown>>;
type Part = "selection" | "status";
type Models = Record<Part, AnyState>;

const EMPTY = { selection: NOTHING_SELECTED, status: NO_STATUS };
const PATIENCE_MS = 2500;
const FRAME_MS = 16;

/** Share by reference where the host can, else through the view's own `_mirror`. */
export function openShared(
  model: AnyModel<SharedTraits>,
  host: Host | undefined,
  signal: AbortSignal,
): Shared {
  const mirrored = <P extends Part>(part: P): (typeof EMPTY)[P] =>
    complete(part, (key) => model.get("_mirror")?.[part]?.[key as never]);

  // What the mirror holds is painted at once, since a host may take seconds to answer.
  const selection = signalOf<SelectionState>(mirrored("selection"));
  const status = signalOf<StatusState>(mirrored("status"));
  const way = signalOf<"opening" | "reference" | "mirror">("opening");
  let models: Models | null = null;
  let waiting: { [P in Part]?: object } = {};

  const read = <P extends Part>(part: P) =>
    models ? complete(part, (key) => models?.[part].get(key)) : mirrored(part);
  const refresh = coalesce(() => {
    if (signal.aborted || way.value === "opening") return;
    batch(() => {
      selection.value = newer(read("selection"), selection.value);
      status.value = newer(read("status"), status.value);
    });
  });

  const write = (part: Part, patch: object): void => {
    if (signal.aborted) return;
    if (way.value === "opening") {
      waiting = { ...waiting, [part]: { ...waiting[part], ...patch } };
    } else if (models) {
      // One key at a time, because marimo's models take no object.
      for (const [key, value] of Object.entries(patch)) models[part].set(key, value);
      models[part].save_changes();
    } else {
      const mirror = model.get("_mirror");
      model.set("_mirror", { ...mirror, [part]: { ...mirror[part], ...patch } });
      model.save_changes();
    }
  };

  void openByReference(model, host).then((opened) => {
    if (signal.aborted) return;
    models = opened;
    way.value = opened ? "reference" : "mirror";
    for (const [source, event] of eventsOf(model, opened)) {
      source.on(event, refresh);
      signal.addEventListener("abort", () => source.off(event, refresh), { once: true });
    }
    if (!opened && model.get("_link") !== "mirror") {
      model.set("_link", "mirror");
      model.save_changes();
    }
    for (const part of ["selection", "status"] as const) {
      if (waiting[part]) write(part, waiting[part]);
    }
    refresh();
  });

  return {
    selection,
    status,
    way,
    alive: followLife(model, signal),
    select(patch) {
      const before = way.value === "opening" ? selection.value : read("selection");
      const changes = Object.entries(patch).filter(
        ([key, value]) => !same(value, before[key as keyof SelectionState]),
      );
      if (!changes.length) return;
      const changed = Object.fromEntries(changes);
      selection.value = { ...before, ...changed };
      write("selection", changed);
    },
    cancel(id) {
      write("status", { _cancel: id });
    },
    go(to) {
      write("status", { _go: { id: (status.value._go?.id ?? 0) + 1, to } });
    },
    intervene(gesture) {
      write("status", { _intervene: { id: (status.value._intervene?.id ?? 0) + 1, ...gesture } });
    },
  };
}

/** What Jupyter's own models say beyond anywidget's interface. */
type Held = AnyState & {
  comm_live?: boolean;
  comm?: { jsServicesComm?: { isDisposed: boolean } };
};

/** How often to check whether the kernel was shut down, which nothing reports. */
const LOOK_MS = 2000;

/** Follow whether the kernel that made the shared models is still there; hosts that do not tell say nothing. */
function followLife(model: AnyModel<SharedTraits>, signal: AbortSignal): ReadonlySignal<boolean> {
  const alive = signalOf(true);
  const follow = (held: Held | undefined) => {
    if (signal.aborted || held?.comm_live === undefined) return;
    const refresh = () => {
      alive.value = held.comm_live !== false && !held.comm?.jsServicesComm?.isDisposed;
    };
    held.on("comm_live_update", refresh);
    const looking = setInterval(refresh, LOOK_MS);
    const end = () => {
      held.off("comm_live_update", refresh);
      clearInterval(looking);
    };
    signal.addEventListener("abort", end, { once: true });
    refresh();
  };
  const id = idOf(model.get("status"));
  void Promise.resolve(model.widget_manager?.get_model(id)).then(follow, () => {});
  return alive;
}

function idOf(reference: unknown): string {
  return String(reference ?? "").replace(/^(anywidget:|IPY_MODEL_)/, "");
}

async function openByReference(
  model: AnyModel<SharedTraits>,
  host: Host | undefined,
): Promise<Models | null> {
  const open = async (part: Part): Promise<AnyState | null> => {
    const id = idOf(model.get(part));
    if (!id) return null;
    const ways: (() => Promise<AnyState> | undefined)[] = [
      () => host?.getModel(`anywidget:${id}`),
      () => model.widget_manager?.get_model(id),
    ];
    for (const attempt of ways) {
      try {
        const opened = await within(PATIENCE_MS, attempt());
        const holds = Object.keys(EMPTY[part]).every((key) => opened?.get(key) !== undefined);
        if (opened && holds) return opened;
      } catch {
        // The next way, and in the end the mirror.
      }
    }
    return null;
  };
  const [selection, status] = await Promise.all([open("selection"), open("status")]);
  return selection && status ? { selection, status } : null;
}

function eventsOf(model: AnyModel<SharedTraits>, models: Models | null): [AnyState, string][] {
  if (!models) return [[model as unknown as AnyState, "change:_mirror"]];
  return (["selection", "status"] as const).flatMap((part) =>
    Object.keys(EMPTY[part]).map((key): [AnyState, string] => [models[part], `change:${key}`]),
  );
}

/** Read every trait of a part, with what a new one holds where there is nothing. */
function complete<P extends Part>(part: P, get: (key: string) => unknown): (typeof EMPTY)[P] {
  const entries = Object.entries(EMPTY[part]).map(([key, empty]) => {
    const value = get(key) ?? empty;
    return [key, key === "_header" && isEmpty(value) ? null : value];
  });
  return Object.fromEntries(entries);
}

function isEmpty(value: unknown): boolean {
  return !value || Object.keys(value).length === 0;
}

/** The state that was held where the other says the same. A run is large and arrives whole, so its identity counts. */
function newer<State extends object>(now: State, held: State): State {
  const keys = Object.keys(now) as (keyof State)[];
  return keys.every(
    (key) => now[key] === held[key] || (key !== "_header" && same(now[key], held[key])),
  )
    ? held
    : now;
}

/**
 * Call `fn` at the first of a burst of events, and then at most once a frame: to draw every view
 * anew for each message of a storm would take many times as long as the storm.
 * Hosts differ in what they pass, so nothing is passed.
 */
function coalesce(fn: () => void): () => void {
  let due = false;
  let resting = false;
  const run = () => {
    due = false;
    fn();
    resting = true;
    // No animation frame, which never comes to a page that is not seen.
    setTimeout(() => {
      resting = false;
      if (due) run();
    }, FRAME_MS);
  };
  return () => {
    if (due) return;
    due = true;
    if (!resting) queueMicrotask(run);
  };
}

function within<T>(ms: number, promise: Promise<T> | undefined): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer)) as Promise<T | undefined>;
}
