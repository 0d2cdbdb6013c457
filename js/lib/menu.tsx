/** A button and the short list of actions under it: a view's own ⋯, or one that has a name. */

import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export type Action = { label: string; run(): void };

type Props = { actions: Action[]; name?: string; disabled?: boolean; title?: string };

export function Menu({ actions, name, disabled, title }: Props): JSX.Element {
  const [open, setOpen] = useState(false);
  const holder = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useLayoutEffect(() => {
    const menu = holder.current?.querySelector<HTMLElement>("[role=menu]");
    const view = menu?.closest(".rs-view")?.getBoundingClientRect();
    if (!menu || !view) return;
    menu.style.right = "";
    // It hangs from the button's right end, which may be near the view's left edge.
    const out = view.left - menu.getBoundingClientRect().left;
    if (out > 0) menu.style.right = `${-Math.ceil(out)}px`;
  });

  // Before the next key, which is meant for the menu.
  useLayoutEffect(() => {
    if (!open) return;
    holder.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const document = holder.current!.ownerDocument;
    const outside = (event: Event) => {
      if (!event.composedPath().includes(holder.current!)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const press = (event: KeyboardEvent) => {
    const items = [...holder.current!.querySelectorAll<HTMLElement>("[role=menuitem]")];
    const at = items.findIndex((item) => item.matches(":focus"));
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") items[(at + 1) % items.length]?.focus();
    else if (event.key === "ArrowUp") items.at(at - 1)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div class="rs-menu" ref={holder}>
      <button
        ref={button}
        type="button"
        class={name ? "rs-button" : "rs-round"}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={name ?? "menu"}
        disabled={disabled}
        title={title}
        onClick={() => setOpen(!open)}
      >
        {name ? `${name} ▾` : "⋯"}
      </button>
      {open && (
        <div role="menu" tabIndex={-1} onKeyDown={press}>
          {actions.map(({ label, run }) => (
            <button
              key={label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close();
                run();
              }}
            >
              {label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
