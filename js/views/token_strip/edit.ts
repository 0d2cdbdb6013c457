/** What an edit changes: from the fields as typed to the one message that is sent. */

/** A row's answers; null is no wrong answer. */
export type Pair = [right: string, wrong: string | null];

/** The inputs of a run, as they can be edited; `own` says that the model's top two tokens are explained. */
export type Inputs = { prompts: string[]; answers: Pair[] | null; own: boolean };

export type Changes = { prompts?: string[]; answers?: Pair[] | null };

export type Edit = Changes & { id: number };

export type Refused = { id: number; field: string; message: string };

/** The texts in one row's fields. */
export type Fields = { prompt: string; right: string; wrong: string };

/** What was typed, by row; what was not typed follows the run. */
export type Typed = Record<number, Partial<Fields>>;

export function fieldsOf({ prompts, answers }: Inputs, typed: Typed): Fields[] {
  return prompts.map((prompt, row) => {
    const [right, wrong] = answers?.[row] ?? ["", null];
    return { prompt, right, wrong: wrong ?? "", ...typed[row] };
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
