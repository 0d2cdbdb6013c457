/** The names of a model's parts in words, and the sentence under the bars. */

import { inUnit, signed } from "../../lib/number";
import { type Diverging, positiveName } from "../../lib/palette";
import { type Part, strong } from "../../lib/sentence";
import { ofTarget, type TargetWords } from "../../lib/target";
import { splitName } from "./layout";

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

const IN_LAYER: Record<string, Words> = {
  attn: { subject: "attention", group: ATTENTION, about: "the sum of its heads" },
  attn_bias: { subject: "attention bias", group: BIASES, about: "added wherever its heads look" },
  mixer: { subject: "mixer", group: MIXERS },
  mlp: { subject: "MLP", group: MLPS },
};

const ALONE: Record<string, Words> = {
  embed: { subject: "The embedding", group: EMBEDDING },
  pos_embed: { subject: "The position's embedding", group: EMBEDDING },
  norm_bias: { subject: "The final norm's bias", group: BIASES },
  unembed_bias: { subject: "The unembedding's bias", group: BIASES },
  entropy: { subject: "The entropy", group: "entropy", about: "of the next token, with a minus" },
  soft_cap: { subject: "The soft cap", group: "soft cap", about: "what it takes off the logits" },
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
    const key = group === EMBEDDING || group === BIASES ? rest : group;
    totals.set(key, (totals.get(key) ?? 0) + values[i]!);
  });
  const order = [ATTENTION, MIXERS, MLPS, rest];
  const first = order.filter((group) => totals.has(group));
  const others = [...totals.keys()].filter((group) => !order.includes(group));
  return [...first, ...others].map((group) => [group, totals.get(group)!]);
}

/** The part that pushes most towards the right answer, or where none does, most away from it. */
export function strongest(values: ArrayLike<number>): number {
  const all = Array.from(values, (value) => (Number.isNaN(value) ? 0 : value));
  const most = all.indexOf(Math.max(...all));
  return (all[most] ?? 0) > 0 ? most : all.indexOf(Math.min(...all));
}

export function sentence(
  names: string[],
  values: ArrayLike<number>,
  subject: number,
  target: TargetWords,
  palette: Diverging,
): Part[] {
  if (names.length === 0) return [];
  if (Number.isNaN(target.value)) return ofArrays(names, values, subject, target);
  const together = sums(names, values).map(([group, sum]) => `${group} ${signed(sum)}`);
  return [
    strong(subjectOf(names[subject]!)),
    " adds ",
    strong(signed(values[subject]!)),
    " ",
    ...ofTarget(target),
    subject === strongest(values) ? ", the most; " : "; ",
    together.join(", "),
    `. ${positiveName(palette)} pushes towards `,
    target.right,
    ".",
  ];
}

/** "L3.attn: +2.43 logits; the most is L1.attn's, +5.43 logits." Parts of arrays need not sum to anything. */
function ofArrays(
  names: string[],
  values: ArrayLike<number>,
  subject: number,
  { unit }: TargetWords,
): Part[] {
  const most = strongest(values);
  const said = (part: number) => inUnit(signed(values[part]!), unit);
  const own = [strong(names[subject]!), ": ", strong(said(subject))];
  if (subject === most) return [...own, ", the most."];
  return [...own, `; the most is ${names[most]}'s, ${said(most)}.`];
}
