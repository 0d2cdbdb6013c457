/** What an edit changes: from the fields as typed to the one message that is sent. */

/** A row's answers; null is no wrong answer. */
export type Pair = [right: string, wrong: string | null];

/**
 * The inputs of a run, as they can be edited; `own` says that the model's top two tokens are explained, and
 * `prefills` what each reply begins with, or null where no chat template is in use.
 */
export type Inputs = {
  prompts: string[];
  answers: Pair[] | null;
  prefills: string[] | null;
  own: boolean;
};

export type Changes = { prompts?: string[]; answers?: Pair[] | null; prefill?: string[] | null };

export type Edit = Changes & { id: number };

export type Refused = { id: number; field: string; message: string };

/** The texts in one row's fields; there is one for what the reply begins with where there is a reply. */
export type Fields = { prompt: string; right: string; wrong: string; prefill?: string };

/** What was typed, by row; what was not typed follows the run. */
export type Typed = Record<number, Partial<Fields>>;

export function fieldsOf({ prompts, answers, prefills }: Inputs, typed: Typed): Fields[] {
  return prompts.map((prompt, row) => {
    const [right, wrong] = answers?.[row] ?? ["", null];
    const reply = prefills ? { prefill: prefills[row] ?? "" } : {};
    return { prompt, right, wrong: wrong ?? "", ...reply, ...typed[row] };
  });
}

/** Return what differs from the run's inputs, or null when nothing does. */
export function changesOf(inputs: Inputs, typed: Typed): Changes | null {
  const fields = fieldsOf(inputs, typed);
  const prompts = fields.map(({ prompt }) => prompt);
  const answers = answersOf(fields);
  const changes: Changes = {};
  if (!same(prompts, inputs.prompts)) changes.prompts = prompts;
  if (!same(answers, answersOf(fieldsOf(inputs, {})))) changes.answers = answers;
  const prefills = fields.map(({ prefill }) => prefill ?? "");
  if (inputs.prefills && !same(prefills, inputs.prefills)) {
    changes.prefill = prefills.some(Boolean) ? prefills : null;
  }
  return Object.keys(changes).length ? changes : null;
}

/** Empty fields everywhere are no answers; an empty wrong one is a right one alone. */
function answersOf(fields: Fields[]): Pair[] | null {
  if (fields.every(({ right, wrong }) => !right && !wrong)) return null;
  return fields.map(({ right, wrong }): Pair => [right, wrong || null]);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
