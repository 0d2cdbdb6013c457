/** The names of a model's parts in words, and what the parts of each kind add up to. */

import { splitName } from "./blocks/bar-layout";
import { signed } from "./number";

type Words = {
  /** After "Layer 3's", or at the beginning of a sentence. */
  subject: string;
  /** What the sentence sums the part under. */
  group: string;
  /** What else a tooltip says of it. */
  about?: string;
};

const ATTENTION = "attention together";
const MIXERS = "mixers together";
const MLPS = "MLPs together";
const EMBEDDING = "embedding";
const BIASES = "biases";
const EDITS = "edits";

const IN_LAYER: Record<string, Words> = {
  attn: { subject: "attention", group: ATTENTION, about: "the sum of its heads" },
  attn_edit: { subject: "edit of attention", group: EDITS },
  mlp_edit: { subject: "edit of the MLP", group: EDITS },
  resid_pre_edit: { subject: "edit before attention", group: EDITS },
  resid_mid_edit: { subject: "edit between attention and MLP", group: EDITS },
  resid_post_edit: { subject: "edit after the MLP", group: EDITS },
  attn_bias: {
    subject: "attention bias",
    group: BIASES,
    about: "the same whatever the heads look at",
  },
  mixer: { subject: "mixer", group: MIXERS },
  mlp: { subject: "MLP", group: MLPS },
};

const ALONE: Record<string, Words> = {
  embed: { subject: "The embedding", group: EMBEDDING },
  pos_embed: { subject: "The position's embedding", group: EMBEDDING },
  norm_bias: { subject: "The final norm's bias", group: BIASES },
  unembed_bias: { subject: "The unembedding's bias", group: BIASES },
  final_norm: {
    subject: "The final norm",
    group: "the final norm's scale",
    about: "what its changed scale does to all parts",
  },
  entropy: {
    subject: "The entropy",
    group: "entropy",
    about: "of the next token, with a minus sign",
  },
  soft_cap: {
    subject: "The soft cap",
    group: "soft cap",
    about: "what it subtracts from the logits",
  },
};

function wordsOf(name: string): Partial<Words> {
  const { layer, part } = splitName(name);
  return (layer === null ? ALONE : IN_LAYER)[part] ?? {};
}

/** What a layer's part is called: "attention", "MLP". */
export function nounOf(part: string): string {
  return IN_LAYER[part]?.subject ?? part;
}

/** "Layer 3's attention", "The embedding"; a part without words keeps its name. */
export function subjectOf(name: string): string {
  const { layer, part } = splitName(name);
  const { subject = part } = wordsOf(name);
  return layer === null ? subject : `Layer ${layer}'s ${subject}`;
}

/** The same and what else there is to say of it. */
export function aboutOf(name: string): string {
  const { about } = wordsOf(name);
  return about ? `${subjectOf(name)}, ${about}` : subjectOf(name);
}

/** The sums of parts of a kind, in the order in which sentences name them. */
export function sums(names: string[], values: ArrayLike<number>): [group: string, sum: number][] {
  const totals = new Map<string, number>();
  const groups = names.map((name) => wordsOf(name).group ?? name);
  const rest = [EMBEDDING, BIASES].filter((group) => groups.includes(group)).join(" and ");
  groups.forEach((group, i) => {
    if (Number.isNaN(values[i]!)) return;
    const key = group === EMBEDDING || group === BIASES ? rest : group;
    totals.set(key, (totals.get(key) ?? 0) + values[i]!);
  });
  const order = [ATTENTION, MIXERS, MLPS, rest];
  const first = order.filter((group) => totals.has(group));
  const others = [...totals.keys()].filter((group) => !order.includes(group));
  return [...first, ...others].map((group) => [group, totals.get(group)!]);
}

/** A part's own name in a sentence, and what the parts of each kind add up to. */
export function aboutParts(names: string[], values: ArrayLike<number>, part: number) {
  return {
    subject: subjectOf(names[part]!),
    together: sums(names, values).map(([group, sum]) => `${group} ${signed(sum)}`),
  };
}
