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

/** A probability to three decimals, or to so many; "<0.001" and ">0.999" where it is not quite 0 or 1. */
export function probability(value: number, decimals = 3): string {
  if (!Number.isFinite(value)) return "–";
  const step = 10 ** -decimals;
  if (value > 0 && value < step / 2) return `<${step.toFixed(decimals)}`;
  if (value < 1 && value >= 1 - step / 2) return `>${(1 - step).toFixed(decimals)}`;
  return value.toFixed(decimals);
}

/** A written number with its unit, where it has one. */
export function inUnit(written: string, unit: string): string {
  return unit ? `${written} ${unit}` : written;
}

/** What stands behind the name of a number in a title: " · logits", or nothing where it has no unit. */
export function titleUnit(unit: string): string {
  return unit && ` · ${unit}`;
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
