// The landmarks of faces: crop, model, and back into pixels of the image.

import { qualityOf, scaleMatrices } from "./certainty.js";
import { apply, cropFromBox, invert } from "./geometry.js";
import { warp, writePlanes } from "./pixels.js";

const FACES_AT_ONCE = 8; // bounds the memory for an image of a crowd

// `run`: planes (B, 3, S, S), B -> {points (B, N, 2) in pixels of the crops, certainty (B, N, 4)},
// both flat. Gives {points: [[x, y], ...], sigma, visible, quality} of each box.
export async function findLandmarks(image, boxes, run, facts) {
  const { image_size: size, margin, certainty: numbers } = facts;
  const found = [];
  for (let i = 0; i < boxes.length; i += FACES_AT_ONCE) {
    const matrices = boxes.slice(i, i + FACES_AT_ONCE).map((box) => cropFromBox(box, size, margin));
    const planes = new Float32Array(matrices.length * 3 * size * size);
    matrices.forEach((cropFromImage, number) => {
      const crop = warp(image, cropFromImage, size);
      writePlanes(crop, [0, 1, 2], planes, number * 3 * size * size, size, size);
    });
    const outputs = await run(planes, matrices.length);
    const count = outputs.points.length / 2 / matrices.length; // landmarks of a face
    matrices.forEach((cropFromImage, number) => {
      const imageFromCrop = invert(cropFromImage);
      const points = apply(imageFromCrop, rows(outputs.points, 2, number * count, count));
      const sure = rows(outputs.certainty, 4, number * count, count);
      const sigma = scaleMatrices(sure, imageFromCrop);
      const visible = sure.map((row) => row[3]);
      found.push({ points, sigma, visible, quality: qualityOf(sigma, points, numbers) });
    });
  }
  return found;
}

// So many rows of a flat array, from `first` on.
function rows(flat, width, first, count) {
  return Array.from({ length: count }, (_, i) => {
    const start = width * (first + i);
    return Array.from(flat.subarray(start, start + width));
  });
}
