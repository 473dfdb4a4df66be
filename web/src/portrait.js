// What a face looks like, by which it is known again: as in keras_lotr/tracking/track.py.

import { cut, resizeArea } from "./pixels.js";

// A crop as `side` x `side` colours, without lighting and surroundings.
export function portrait(crop, { portrait: side, border: part }) {
  const border = Math.floor(crop.width / part);
  const inner = crop.width - 2 * border;
  const { data } = resizeArea(cut(crop, border, border, inner, inner), side, side);
  const colors = Array.from(data).filter((_, i) => i % 4 < 3); // no transparency
  const mean = colors.reduce((sum, value) => sum + value, 0) / colors.length;
  const centered = colors.map((value) => value - mean);
  const length = Math.max(1e-6, Math.hypot(...centered));
  return centered.map((value) => value / length);
}

// -1..1: the correlation of two portraits.
export function likeness(portrait, other) {
  const scale = Math.max(1e-6, Math.hypot(...portrait) * Math.hypot(...other));
  return portrait.reduce((sum, value, i) => sum + value * other[i], 0) / scale;
}
