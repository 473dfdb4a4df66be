// The landmarks in crops: the model, and back into pixels of the image.

import { qualityOf, scaleMatrices } from "./certainty.js";
import { apply, invert } from "./geometry.js";
import { writePlanes } from "./pixels.js";

const FACES_AT_ONCE = 8; // bounds the memory for an image of a crowd

// `run`: planes (B, 3, S, S), B -> {points (B, N, 2) in pixels of the crops, certainty (B, N, 4)},
// both flat. Gives {points: [[x, y], ...], sigma, visible, quality} of each crop, whose matrix is
// its `cropFromImage`.
export async function landmarksOf(crops, matrices, run, facts) {
  const { image_size: size, certainty: numbers } = facts;
  const found = [];
  for (let first = 0; first < crops.length; first += FACES_AT_ONCE) {
    const batch = matrices.slice(first, first + FACES_AT_ONCE);
    const planes = new Float32Array(batch.length * 3 * size * size);
    batch.forEach((_, number) => {
      const start = number * 3 * size * size;
      writePlanes(crops[first + number], [0, 1, 2], planes, start, size, size);
    });
    const outputs = await run(planes, batch.length);
    const count = outputs.points.length / 2 / batch.length; // landmarks of a face
    batch.forEach((cropFromImage, number) => {
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
