/** Write numbers as the views show them: few digits, a true minus, never an exponent. */

const MINUS = "−";

/** Three significant digits, and at least two decimals below a hundred: 0.0417, 3.08, 10.80, 123. */
export function number(value: number): string {
  return written(value, 3, 2);
}

/** The same with a sign always: +3.08, −0.417. */
export function signed(value: number): string {
  return withSign(value, number(Math.abs(value)));
}

/** Four significant digits, for tooltips: 0.04172, 3.084, 10.802. */
export function precise(value: number): string {
  return written(value, 4, 3);
}

export function preciseSigned(value: number): string {
  return withSign(value, precise(Math.abs(value)));
}

/** A probability to three decimals, or "<0.001". */
export function probability(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value > 0 && value < 0.0005 ? "<0.001" : value.toFixed(3);
}

function written(value: number, digits: number, decimals: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : withMinus(value, "∞");
  const size = Math.abs(value);
  if (size >= 10 ** digits) return withMinus(value, grouped(Math.round(size)));
  if (size >= 10 ** (digits - 1) - 0.5) return withMinus(value, size.toFixed(digits - 3));
  if (size >= 1) return withMinus(value, size.toFixed(decimals));
  // Smaller than this nothing is worth more digits than a zero.
  const places = size === 0 ? 0 : digits - 1 - Math.floor(Math.log10(size));
  const text = size.toFixed(Math.min(places, digits + 2));
  return Number(text) === 0 ? "0" : withMinus(value, text);
}

function withMinus(value: number, text: string): string {
  return value < 0 ? MINUS + text : text;
}

function withSign(value: number, text: string): string {
  return text === "0" || text === "–" ? text : (value < 0 ? MINUS : "+") + text;
}

function grouped(whole: number): string {
  return String(whole).replace(/\B(?=(\d{3})+$)/g, ",");
}
