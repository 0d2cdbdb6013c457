/** What the kernel and the browser share: the traits of `Selection` and `Status`, by name. */

export type Head = [layer: number, head: number];

export type SelectionState = {
  row: number | null;
  depth: number;
  head: Head | null;
  position: number | null;
  key: number | null;
  pinned: string[];
  show: Show;
};

/** Which of a number and the untouched run's is shown, or the change from one to the other. */
export type Show = "now" | "before" | "change";

export type Answer = { ids: number[]; text: string };

export type Row = {
  prompt: string;
  ids: number[];
  /** The ranges of positions, without their ends, that the chat template added. */
  template: [start: number, end: number][];
  /** The position where the target is read. */
  target_position: number;
  right: Answer | null;
  wrong: Answer | null;
  /** The value is null where there is no model that gives one. */
  target: { name: string; value: number | null; unit: string };
  right_prob: number | null;
  right_rank: number | null;
  /** The untouched run's, where there are interventions. */
  before: Before | null;
};

export type Before = {
  value: number;
  right_prob: number | null;
  right_rank: number | null;
  /** The KL divergence of the next-token distribution from the untouched run's, in nats. */
  kl: number;
};

/** What is done to some parts of the model: see `Experiment.interventions`. */
export type Intervention = {
  do: "ablate" | "scale" | "steer";
  parts: string[];
  /** Of an ablation: "mean", "zero" or "resample". */
  kind: string;
  /** The dose of an ablation, the factor of all else. */
  by: number;
  /** Where, in words; empty for everywhere. */
  at: string;
};

/** What a view asks to be done to parts: `parts` may be left out to reset all. */
export type Gesture = {
  do: "switch" | "ablate" | "reset";
  parts?: string[];
  kind?: string;
  dose?: number;
};

export type Header = {
  number: number;
  rows: Row[];
  texts: Record<string, string>;
  specials: number[];
  bos: number | null;
  depths: string[];
  n_layers: number;
  n_heads: number;
  interventions: Intervention[];
  /** The later heads and MLPs that the interventions moved most, and by how much. */
  answered: [name: string, change: number][];
  /** Null where the numbers are arrays, without a model. */
  model: Record<"name" | "dtype" | "device" | "processing" | "bos" | "cached", string> | null;
  warnings: string[];
};

/** What is computed, or has failed: for the view of this name, or for all where it is empty. */
export type Job = {
  id: number;
  run: number;
  of: string;
  label: string;
  done: number;
  total: number;
  error: string | null;
};

export type Failure = { run: number; message: string };

export type StatusState = {
  run: number;
  _header: Header | null;
  /** The oldest first; those that have failed are of the newest run. */
  _jobs: Job[];
  _error: Failure | null;
  /** The index of the current run, and how many there are. */
  _history: { at: number; of: number };
  /** The id of the job to stop. */
  _cancel: number;
  _go: { id: number; to: number } | null;
  _intervene: (Gesture & { id: number }) | null;
};

export type About = {
  title: string;
  /** What the numbers mean and how to read the picture, one paragraph each. */
  help: string[];
  /** Traits that the user chooses from; one is hidden while another has a value that `unless` names. */
  menus: {
    trait: string;
    label: string;
    options: string[];
    unless: [trait: string, ...values: string[]] | null;
  }[];
};

/** The traits that every view has, beside its own. */
export type SharedTraits = {
  selection: string;
  status: string;
  _data: import("./wire").Bytes;
  /** What the browser asks for beyond `_data`, and the newest answer: see ask.ts. */
  _ask: { id: number; run: number; keys: string[] } | null;
  _answer: import("./wire").Bytes;
  _link: "" | "mirror";
  /** What a view of quantities says about itself before any run; empty for views with their own front end. */
  _about: Partial<About>;
  /** The view's name, which its still picture and its jobs have, too. */
  _still: string;
  _mirror: { selection?: SelectionState; status?: StatusState };
};

export const NOTHING_SELECTED: SelectionState = {
  row: null,
  depth: 0,
  head: null,
  position: null,
  key: null,
  pinned: [],
  show: "now",
};

export const NO_STATUS: StatusState = {
  run: 0,
  _header: null,
  _jobs: [],
  _error: null,
  _history: { at: 0, of: 0 },
  _cancel: 0,
  _go: null,
  _intervene: null,
};

/** Return a head's name, as in pins and code. */
export function headName([layer, head]: Head): string {
  return `L${layer}H${head}`;
}

/** Add a component's name to the pins, or take it from them. */
export function togglePin(pinned: string[], name: string): string[] {
  return pinned.includes(name) ? pinned.filter((one) => one !== name) : [...pinned, name];
}

/** Return the head that a component's name means, or null when it names something else. */
export function parseHead(name: string): Head | null {
  const match = /^L(\d+)H(\d+)$/.exec(name);
  return match ? [Number(match[1]), Number(match[2])] : null;
}
