/** What the pointer is on and where the keyboard is, among many things behind one tab stop. */

import { useState } from "preact/hooks";
import { isPlain } from "./keys";
import { leaves } from "./pointer";

type Keys<T> = {
  /** Where the keyboard begins. */
  begin(): T;
  /** Where a key leads, or null where it leads nowhere. */
  move(from: T, event: KeyboardEvent): T | null;
  /** Whether the first arrow shows where the keyboard is, and only the next one moves. */
  shows?: boolean;
  select(at: T): void;
  /** What other keys do, by their names. */
  others?: Record<string, ((at: T) => void) | undefined>;
  takes?(event: KeyboardEvent): boolean;
  onHover?(at: T | null): void;
};

export type Pointed<T> = {
  hover: T | null;
  cursor: T | null;
  setCursor(at: T | null): void;
  point(at: T | null): void;
  /** What the element that has the focus does with keys. */
  press(event: KeyboardEvent): void;
  /** What it does when the focus or the pointer goes. */
  away: { onBlur(): void; onPointerLeave(event: PointerEvent): void };
};

export function usePointed<T>(keys: Keys<T>): Pointed<T> {
  const [hover, setHover] = useState<T | null>(null);
  const [cursor, setCursor] = useState<T | null>(null);
  const point = (at: T | null) => {
    setHover(() => at);
    keys.onHover?.(at);
  };
  const forget = () => {
    setCursor(null);
    point(null);
  };
  const press = (event: KeyboardEvent) => {
    if (!(keys.takes ?? isPlain)(event)) return;
    const { key } = event;
    const at = cursor ?? keys.begin();
    const to = keys.move(at, event);
    const does = key === "Enter" || key === " " ? keys.select : keys.others?.[key];
    if (to !== null) setCursor(() => (keys.shows && cursor === null ? at : to));
    else if (does) does(at);
    else if (key === "Escape") forget();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return {
    hover,
    cursor,
    setCursor: (at) => setCursor(() => at),
    point,
    press,
    away: { onBlur: forget, onPointerLeave: (event) => leaves(event) && point(null) },
  };
}

/** Where an arrow, Home or End leads along a line of so many, with `across` in a row of it. */
export function moveAlong(at: number, count: number, key: string, across = 0): number | null {
  const moves: Record<string, number> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    Home: 0,
    End: count - 1,
    ...(across && { ArrowUp: at - across, ArrowDown: at + across }),
  };
  const to = moves[key];
  return to === undefined ? null : to < 0 || to >= count ? at : to;
}
