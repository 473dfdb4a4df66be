// How sure landmarks are, as in keras_lotr/inference/certainty.py and verification.py. `numbers`:
// those of src/facts.json.

import { boxOf, squareOf } from "./geometry.js";

// Scale matrices [xx, xy, yy] in squared pixels of the image, from the triangles [a, b, c] that the
// network gives for pixels of the crop, L = [[a, 0], [b, c]].
export function scaleMatrices(triangles, [[m00, m01], [m10, m11]]) {
  return triangles.map(([a, b, c]) => {
    const [[p, q], [r, s]] = [
      [m00 * a + m01 * b, m01 * c],
      [m10 * a + m11 * b, m11 * c],
    ];
    return [p * p + q * q, p * r + q * s, r * r + s * s].map(Math.fround);
  });
}

// The typical distance of a landmark from the truth, in pixels, by its scale matrix.
export function expectedError([xx, , yy]) {
  return Math.sqrt(xx + yy);
}

// The share of a face's landmarks that are expected to be right, 0..1.
export function qualityOf(sigma, points, { freedom, close }) {
  const radius = close * squareOf(boxOf(points)).side;
  const shares = sigma.map((matrix) => {
    const squared = 2 * (radius / expectedError(matrix)) ** 2;
    return 1 - (1 + squared / freedom) ** (-freedom / 2);
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

// What the detector proposed, and if all of it is doubtful the middle of the photo, twice: one face
// may fill it.
export function withMiddle(faces, { width, height }, sureScore, numbers) {
  if (faces.some(({ score }) => score >= sureScore)) return faces;
  const [x, y, shorter] = [width / 2, height / 2, Math.min(width, height)];
  const halves = numbers.middles.map((part) => (part * shorter) / 2);
  const boxes = halves.map((half) => [x - half, y - half, x + half, y + half]);
  return [...faces, ...boxes.map((box) => ({ box, score: numbers.middle_score }))];
}

// The faces among what was proposed. A face fills the photo, or there are smaller ones.
export function verified(proposed, sureScore, numbers) {
  const faces = proposed.filter((face) => isFace(face, sureScore, numbers));
  const others = faces.filter(({ score }) => score !== numbers.middle_score);
  if (others.length === faces.length) return faces;
  const surest = faces.reduce((best, face) => (face.quality > best.quality ? face : best));
  return surest.score === numbers.middle_score ? [surest] : others;
}

// Whether a box that the detector proposed is a face: of good quality, or by the odds of both.
export function isFace({ score, quality }, sureScore, numbers) {
  if (quality >= numbers.sure_quality) return true;
  const byQuality = logOdds(quality) - logOdds(numbers.neutral_quality);
  return logOdds(score) - logOdds(sureScore) + numbers.quality_weight * byQuality >= 0;
}

function logOdds(share) {
  const inside = Math.min(Math.max(share, 1e-3), 1 - 1e-3);
  return Math.log(inside / (1 - inside));
}
