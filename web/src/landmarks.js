// The landmarks of faces: crop, model, and back into pixels of the image.

import { apply, cropFromBox, invert } from "./geometry.js";
import { warp, writePlanes } from "./pixels.js";

const FACES_AT_ONCE = 8; // bounds the memory for an image of a crowd

// `run`: planes (B, 3, S, S), B -> points (B, N, 2), flat, in pixels of the crops.
// Gives the points [[x, y], ...] of each box.
export async function findLandmarks(image, boxes, run, { image_size: size, margin }) {
  const points = [];
  for (let i = 0; i < boxes.length; i += FACES_AT_ONCE) {
    const matrices = boxes.slice(i, i + FACES_AT_ONCE).map((box) => cropFromBox(box, size, margin));
    const planes = new Float32Array(matrices.length * 3 * size * size);
    matrices.forEach((cropFromImage, number) => {
      const crop = warp(image, cropFromImage, size);
      writePlanes(crop, [0, 1, 2], planes, number * 3 * size * size, size, size);
    });
    const flat = await run(planes, matrices.length);
    const numbers = flat.length / matrices.length;
    matrices.forEach((cropFromImage, number) => {
      const pointsCrop = pairs(flat.subarray(number * numbers, (number + 1) * numbers));
      points.push(apply(invert(cropFromImage), pointsCrop));
    });
  }
  return points;
}

function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}
