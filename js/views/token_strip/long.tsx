/** Long prompts, line by line: only those in sight are drawn. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Header } from "../../lib/state";
import type { Theme } from "../../lib/theme";
import { tokenAt, visible } from "../../lib/tokens";
import { breakLines, LINE_HEIGHT, type Line, linesInSight, scrollToLine } from "./lines";
import type { Spot } from "./spot";

type Props = {
  run: Header;
  theme: Theme;
  /** The width for chips where no scroll bar takes room from them. */
  width: number;
  /** What scrolls. */
  holder: { current: HTMLDivElement | null };
  /** Where we look, which is kept in sight when it changes. */
  looking: Spot;
  chip(row: number, position: number): ComponentChildren;
  /** What stands above a row where there are several. */
  header(row: number): ComponentChildren;
};

/** A chip's padding and the gap after it. */
const AROUND = 7;

export function LongRows(props: Props): JSX.Element {
  const { run, theme, width, holder, looking, chip, header } = props;
  const [sight, setSight] = useState({ scroll: 0, height: 320 });
  const inside = useRef<HTMLDivElement>(null);
  const room = useInnerWidth(inside, width);
  const lines = useMemo(() => linesOf(run, theme, room), [run, theme, room]);

  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return;
    const look = () => setSight({ scroll: element.scrollTop, height: element.clientHeight });
    look();
    element.addEventListener("scroll", look);
    return () => element.removeEventListener("scroll", look);
  }, [lines]);

  const { row, position } = looking;
  useLayoutEffect(() => {
    const element = holder.current;
    const line = lines.findIndex(
      (one) =>
        one.row === row && (position === null || (one.from <= position && position < one.to)),
    );
    if (!element || line < 0) return;
    const to = scrollToLine(line, element.scrollTop, element.clientHeight);
    if (to === element.scrollTop) return;
    element.scrollTop = to;
    setSight({ scroll: element.scrollTop, height: element.clientHeight });
  }, [lines, row, position]);

  const [first, last] = linesInSight(lines.length, sight.scroll, sight.height);
  return (
    <div
      class="rs-lines"
      ref={inside}
      style={{ height: `${lines.length * LINE_HEIGHT}px` }}
      role="none"
    >
      {lines.slice(first, last).map((line, i) => {
        const top = `${(first + i) * LINE_HEIGHT}px`;
        return (
          <div class="rs-line-of" role="row" key={first + i} style={{ top }}>
            {line.from === line.to
              ? header(line.row)
              : Array.from({ length: line.to - line.from }, (_, at) =>
                  chip(line.row, line.from + at),
                )}
          </div>
        );
      })}
    </div>
  );
}

/** The width inside an element, which a scroll bar about it makes smaller; `width` until it is known. */
function useInnerWidth(holder: { current: HTMLElement | null }, width: number): number {
  const [room, setRoom] = useState(width);
  useLayoutEffect(() => {
    const element = holder.current!;
    const window = element.ownerDocument.defaultView!;
    // A strip in a hidden tab measures nothing, and keeps its lines.
    const measure = () => element.clientWidth && setRoom(element.clientWidth);
    measure();
    // In the next frame, because a change of size during a resize notification logs an error.
    const observer = new window.ResizeObserver(() => window.requestAnimationFrame(measure));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return room;
}

function linesOf(run: Header, theme: Theme, room: number): Line[] {
  const context = new OffscreenCanvas(1, 1).getContext("2d")!;
  context.font = `13px ${theme.codeFont}`;
  const known = new Map<number, number>();
  const widthOf = (row: number, position: number, id: number) => {
    const width = known.get(id) ?? textWidth(context, visible(tokenAt(run, row, position).text));
    known.set(id, width);
    return width + AROUND;
  };
  const several = run.rows.length > 1;
  return run.rows.flatMap(({ ids }, row) => {
    const widths = ids.map((id, position) => widthOf(row, position, id));
    const ends = (position: number) => tokenAt(run, row, position).text.endsWith("\n");
    const lines = breakLines(row, widths, ends, room);
    return several ? [{ row, from: 0, to: 0 }, ...lines] : lines;
  });
}

function textWidth(context: OffscreenCanvasRenderingContext2D, text: string): number {
  return Math.ceil(context.measureText(text).width);
}
