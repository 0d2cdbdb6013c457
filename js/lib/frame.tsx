/** The frame about every view: title row, states, the picture, and the sentence below it. */

import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { type Action, Menu } from "./menu";
import { ProgressLine } from "./progress";
import { plain, Say, type Words } from "./sentence";
import type { View } from "./view";

/** Whether the parts shown add up to what they should. */
export type Check = { text: string; ok: boolean; reason: string };

type Props = {
  // biome-ignore lint/suspicious/noExplicitAny: a frame holds a view of any model
  view: View<any>;
  title: string;
  /** What number is shown, and its unit. */
  what: Words;
  check?: Check | null;
  /** Quiet facts, right-aligned before the run's number. */
  meta?: ComponentChildren;
  /** Whether the buttons to earlier and later runs stand about the run's number. */
  history?: boolean;
  /** What the number means and how to read the picture, one paragraph each. */
  help: string[];
  actions?: Action[];
  sentence: Words;
  /** Why there is nothing to say: "not in this run", "waiting for the kernel". */
  notice?: Words | null;
  /** What to do while nothing has been computed. */
  empty?: string;
  children: ComponentChildren;
};

/** Nothing of it is an empty string, since Preact would write one anew each time and the title row be laid out. */
export function Frame(props: Props): JSX.Element {
  const { view, title, what, check, meta, help, actions = [], notice } = props;
  const [helping, setHelping] = useState(false);
  const picture = view.picture.value;
  const { _jobs: jobs, _error: error } = view.status.value;
  const shownRun = picture?.run.number ?? 0;
  const own = jobs.filter((job) => job.of === "" || job.of === view.name);
  const job = own.find((one) => one.error === null) ?? null;
  const failed = own.find((one) => one.error !== null && one.run >= shownRun);
  const told = error && error.run >= shownRun ? error.message : (failed?.error ?? null);
  const failure = view.unreadable.value ?? told;
  const stale = view.stale.value || failure !== null;
  const state = failure ? "error" : !picture ? "empty" : stale ? "stale" : "current";
  const copy: Action = {
    label: "Copy sentence",
    run: () => void copyText(plain(props.sentence)),
  };

  return (
    <section class="rs-frame" aria-label={title} data-state={state}>
      <header class="rs-title">
        <span class="rs-name" role="heading" aria-level={3}>
          {title}
        </span>
        <span class="rs-what" title={plain(what)}>
          <Say words={what} />
        </span>
        {meta ? <span class="rs-meta">{meta}</span> : null}
        {check && picture && <CheckMark check={check} />}
        {picture?.run.model && (
          <span class="rs-meta">
            {props.history && <Step view={view} by={-1} />}
            {picture.run.model.cached ? (
              <span class="rs-amber" title={picture.run.model.cached}>
                as cached ·{" "}
              </span>
            ) : null}
            <span class="rs-run">run {shownRun}</span>
            {props.history && <Step view={view} by={1} />}
          </span>
        )}
        <button
          type="button"
          class="rs-round"
          aria-label={`about ${title}`}
          aria-expanded={helping}
          onClick={() => setHelping(!helping)}
        >
          ?
        </button>
        <Menu actions={[...actions, copy]} />
      </header>
      <ProgressLine job={job} onCancel={view.unasked.value ? null : view.cancel} />
      {helping && (
        <div class="rs-help">
          {help.map((paragraph) => (
            <p key={paragraph}>{paragraph}</p>
          ))}
        </div>
      )}
      {!view.alive.value && (
        <p class="rs-warning" role="status">
          The kernel is gone: run the cell again.{" "}
          {picture && `This view still shows run ${shownRun}.`}
        </p>
      )}
      {check && picture && !check.ok && <p class="rs-warning">{check.reason}</p>}
      <div class="rs-picture">{picture && props.children}</div>
      {failure ? (
        <p class="rs-say rs-error" role="alert">
          {failure}
        </p>
      ) : (
        <p class={notice || !picture ? "rs-say rs-notice" : "rs-say"} aria-live="polite">
          <Say words={picture ? (notice ?? props.sentence) : emptyWords(props.empty, job)} />
        </p>
      )}
    </section>
  );
}

/** Attributes of a control that needs a kernel: without one it is disabled, with the reason on hover. */
export function needsKernel({ unasked }: Pick<View, "unasked">): Disabled {
  return unasked.value ? { disabled: true, title: unasked.value } : {};
}

/** The same for a control that also needs a model, which views of arrays do not have. */
export function needsModel(view: Pick<View, "unasked" | "picture">): Disabled {
  const arrays = view.picture.value?.run.model === null;
  return arrays
    ? { disabled: true, title: "this view shows arrays: there is no model to ask" }
    : needsKernel(view);
}

type Disabled = { disabled?: true; title?: string };

/** A button to the previous or the next run, whose inputs run again. */
// biome-ignore lint/suspicious/noExplicitAny: of any model
function Step({ view, by }: { view: View<any>; by: -1 | 1 }): JSX.Element {
  const { at, of } = view.status.value._history;
  const to = at + by;
  const needs = needsKernel(view);
  return (
    <button
      type="button"
      class="rs-step"
      aria-label={by < 0 ? "back to the previous run" : "forward to the next run"}
      {...needs}
      disabled={needs.disabled || to < 0 || to >= of}
      onClick={() => view.go(to)}
    >
      {by < 0 ? "‹" : "›"}
    </button>
  );
}

function CheckMark({ check }: { check: Check }): JSX.Element {
  return (
    <span class={check.ok ? "rs-meta" : "rs-meta rs-amber"} title={check.reason}>
      {check.text} {check.ok ? "✓" : "!"}
    </span>
  );
}

function emptyWords(empty: string | undefined, job: unknown): string {
  return job ? "Computing the first run." : (empty ?? "Nothing has been computed yet.");
}

/** Does nothing outside a secure context, as on a remote server without https. */
async function copyText(text: string): Promise<void> {
  await globalThis.navigator.clipboard?.writeText(text);
}
