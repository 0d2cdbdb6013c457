/** The prompts and answers as fields: Enter runs what is typed, Escape leaves it. */

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Token } from "../../lib/tokens";
import { useUnique } from "../../lib/unique";
import type { Fields } from "./edit";

type Props = {
  holder: { current: HTMLDivElement | null };
  fields: Fields[];
  /** Why the last edit was refused. */
  refusal: { field: string; message: string } | null;
  /** Sent and not yet answered. */
  waiting: boolean;
  onType(row: number, field: keyof Fields, text: string): void;
  onRun(): void;
  onCancel(): void;
  /** The fields lost the keyboard to something outside. */
  onLeave(): void;
};

/** What a refusal can be about. */
type Field = "prompts" | "answers" | "prefill";

export function Editor(props: Props): JSX.Element {
  const { holder, fields, refusal, waiting, onType, onRun, onCancel, onLeave } = props;
  const id = useUnique();

  // Before the next key, which is meant for the field.
  useLayoutEffect(() => {
    const field = holder.current?.querySelector("textarea");
    field?.focus();
    field?.setSelectionRange(field.value.length, field.value.length);
  }, [holder]);

  const leave = useRef(onLeave);
  leave.current = onLeave;
  const blur = () => {
    setTimeout(() => {
      if (holder.current && !holdsKeyboard(holder.current)) leave.current();
    });
  };
  const press = (event: KeyboardEvent) => {
    const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea");
    // While characters are being composed, Enter takes them.
    if (event.isComposing) return;
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter" && !event.shiftKey && typing) onRun();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const hasReply = fields.some(({ prefill }) => prefill !== undefined);
  const problem = refusal && (
    <p class="rs-error" id={`${id}-problem`} role="alert">
      {refusal.message}
    </p>
  );
  const fieldOf = (name: string): Field =>
    name === "answers" || (name === "prefill" && hasReply) ? name : "prompts";
  const isProblem = (field: Field) => refusal !== null && fieldOf(refusal.field) === field;
  const told = (field: Field) =>
    isProblem(field) ? { "aria-invalid": true, "aria-describedby": `${id}-problem` } : {};
  const several = fields.length > 1;
  const of = (row: number) => (several ? ` of prompt ${row}` : "");

  return (
    <div
      class="rs-edit"
      ref={holder}
      role="group"
      aria-label="edit prompts and answers"
      onKeyDown={press}
      onFocusOut={blur}
    >
      {fields.map(({ prompt, right, wrong, prefill }, row) => (
        <div class="rs-edit-row" key={row}>
          <textarea
            rows={2}
            spellcheck={false}
            aria-label={several ? `prompt ${row}` : "prompt"}
            value={prompt}
            {...told("prompts")}
            onInput={(event) => onType(row, "prompt", event.currentTarget.value)}
          />
          {isProblem("prompts") && row === fields.length - 1 && problem}
          {prefill !== undefined && (
            <div class="rs-edit-answers">
              <span>reply begins with</span>
              <textarea
                rows={1}
                spellcheck={false}
                aria-label={`reply${of(row)} begins with`}
                value={prefill}
                {...told("prefill")}
                onInput={(event) => onType(row, "prefill", event.currentTarget.value)}
              />
            </div>
          )}
          {isProblem("prefill") && row === fields.length - 1 && problem}
          <div class="rs-edit-answers">
            <input
              aria-label={`right answer${of(row)}`}
              placeholder="right: the model's top token"
              spellcheck={false}
              value={right}
              {...told("answers")}
              onInput={(event) => onType(row, "right", event.currentTarget.value)}
            />
            <span>against</span>
            <input
              aria-label={`wrong answer${of(row)}`}
              placeholder={right ? "none: right alone" : "wrong: its second token"}
              spellcheck={false}
              value={wrong}
              {...told("answers")}
              onInput={(event) => onType(row, "wrong", event.currentTarget.value)}
            />
            <AnswerPreview right={right} wrong={wrong} />
          </div>
        </div>
      ))}
      {isProblem("answers") && problem}
      <div class="rs-edit-answers">
        <button type="button" class="rs-button" onClick={onRun}>
          run
        </button>
        <button type="button" class="rs-button" onClick={onCancel}>
          cancel
        </button>
        <span>
          {waiting
            ? "waiting for the kernel"
            : "Enter runs, Shift+Enter starts a new line, Esc cancels"}
        </span>
      </div>
    </div>
  );
}

/** Whether the keyboard is in the element, or will be when its window has it again. */
export function holdsKeyboard(element: HTMLElement | null): boolean {
  const root = element?.getRootNode() as Document | ShadowRoot | undefined;
  return element?.contains(root?.activeElement ?? null) ?? false;
}

/** The answers with their spaces visible, since one that is missing is easily overlooked. */
function AnswerPreview({ right, wrong }: Pick<Fields, "right" | "wrong">): JSX.Element {
  const answers = [right, wrong].filter(Boolean);
  const bare = answers.some((answer) => !answer.startsWith(" "));
  return (
    <span class="rs-edit-preview">
      {right && <Token text={right} />} {wrong && <Token text={wrong} />}
      {bare && " an answer usually starts with a space"}
    </span>
  );
}
