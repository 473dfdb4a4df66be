// Which face that was detected is which face that is known, as in keras_lotr/tracking/association.py
// but for the assignment: that one finds the least sum of costs (the Hungarian method), which only
// differs from taking the cheapest pairs first where several faces are close together.

import { squareOf } from "./geometry.js";

// The cheapest pairs [row, column] of `cost`, each row and column at most once; a pair that costs
// more than the limit of its row is none.
export function assign(cost, limits) {
  const pairs = cost.flatMap((line, row) => line.map((value, column) => [value, row, column]));
  const possible = pairs.filter(([value, row]) => value <= limits[row]);
  const [rows, columns] = [new Set(), new Set()];
  const assigned = [];
  for (const [, row, column] of possible.sort(([a], [b]) => a - b)) {
    if (rows.has(row) || columns.has(column)) continue;
    rows.add(row);
    columns.add(column);
    assigned.push([row, column]);
  }
  return assigned;
}

// How far two boxes are from each other: their centres in sizes of the faces, and the sizes' ratio.
// 0: the same place and size; about 1: side by side.
export function distance(box, other) {
  const [first, second] = [box, other].map(squareOf);
  const [a, b] = [first, second].map(({ side }) => Math.max(side, 1e-6));
  const [dx, dy] = [0, 1].map((axis) => first.center[axis] - second.center[axis]);
  return Math.hypot(dx, dy) / Math.sqrt(a * b) + Math.abs(Math.log(a / b));
}
