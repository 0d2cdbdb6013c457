/** Sentences from the templates that the still pictures' sentences are made of too. */

import { type Part, strong, type Words } from "./sentence";

/** Put parts in a template's places: "{value}", and "{!value}" where it is stressed. */
export function fill(template: string, parts: Record<string, Words | Part>): Part[] {
  return template.split(/\{(!?\w+)\}/).flatMap((piece, i): Part[] => {
    if (i % 2 === 0) return piece ? [piece] : [];
    const part = parts[piece.replace("!", "")] ?? "";
    if (piece.startsWith("!")) return [strong(String(part))];
    return Array.isArray(part) ? part : [part];
  });
}

/** The same as a text, where no part is a token. */
export function filled(template: string, parts: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (_, name) => String(parts[name]));
}
