/** A field that finds a text in a prompt: Enter goes to the next place, Shift+Enter to the one before. */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { findIn, nextOf } from "./find";
import type { Header } from "./state";

type Props = {
  run: Header;
  row: number;
  position: number;
  onFind(position: number): void;
};

export function FindBox({ run, row, position, onFind }: Props): JSX.Element {
  const [wanted, setWanted] = useState("");
  const texts = useMemo(
    () => run.rows[row]?.ids.map((id) => run.texts[id] ?? "") ?? [],
    [run, row],
  );
  const found = useMemo(() => findIn(texts, wanted), [texts, wanted]);
  const at = found.indexOf(position);
  return (
    <span class="rs-find">
      <input
        type="search"
        placeholder="find"
        aria-label="find in the prompt"
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          const next = nextOf(found, position, event.shiftKey);
          if (next !== null) onFind(next);
          event.preventDefault();
        }}
      />{" "}
      <span aria-live="polite">
        {wanted && (at >= 0 ? `${at + 1} of ${found.length}` : `${found.length} found`)}
      </span>
    </span>
  );
}
