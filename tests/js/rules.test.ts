/** Rules about the source that no linter holds. */

import { describe, expect, test } from "vitest";

const SOURCES = import.meta.glob<string>("../../js/**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
});
const FORBIDDEN =
  /innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|\beval\(|new Function/;

describe.each(Object.entries(SOURCES))("%s", (_path, source) => {
  test("puts text on the page as text nodes only", () => {
    expect(source).not.toMatch(FORBIDDEN);
  });

  test("says in its first lines what it is", () => {
    expect(source).toMatch(/^\/\*\*/);
  });
});

const VIEWS = Object.entries(SOURCES).flatMap(([path, source]) => {
  const [, view] = /\/views\/(\w+)/.exec(path) ?? [];
  return view ? [{ path, view, source }] : [];
});

test.each(VIEWS)("$path imports no other view", ({ path, view, source }) => {
  const relative = [...source.matchAll(/(?:from|import) "(\.[^"]+)"/g)].map((match) => match[1]!);
  const folder = path.slice(0, path.lastIndexOf("/"));
  for (const one of relative) {
    const target = new URL(one, `file:///a/b/${folder}/`).pathname;
    expect(target).toMatch(new RegExp(`/js/(lib/|views/${view}[./])|^/src/residscope/data/`));
  }
});
