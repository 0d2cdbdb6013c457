/** A number as the ground of a text, with the ink that reads best on it. */

import { inkOn, type Scale } from "./colour";
import { css } from "./rgb";
import type { Theme } from "./theme";
import "./tinted.css";

export function tinted(scale: Scale, theme: Theme, value = Number.NaN) {
  if (Number.isNaN(value)) return undefined;
  const ground = scale.at(value);
  return { "--rs-ground": css(ground), "--rs-ground-ink": css(inkOn(ground, theme)) };
}
