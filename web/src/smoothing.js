// Landmarks that do not tremble and do not lag: One-Euro filters (Casiez et al., CHI 2012) that move
// with the head, as in keras_lotr/tracking/smoothing.py. How the head moves is seen in the image
// there, by optical flow; here the landmarks themselves say it, most of which move together.
// On a still face both leave as little of the trembling; on a moving one the page leaves more.
// `numbers`: tracking.smoothing of src/facts.json.

import { apply, boxOf, fitSimilarity, invert } from "./geometry.js";
import { expectedError } from "./certainty.js";

const STEPS = 12; // weights and motion in turns: so many, since half of the landmarks may disagree
// All landmarks together know the head better than one knows its place: its filter opens faster, in
// multiples of beta, and at less of the noise of a landmark.
const HEAD_BETA = 3;
const HEAD_NOISE = 0.5;

// The filter, for a list of vectors of which each has a speed of its own: cut-offs in Hz, of what is
// at rest and of the speed, and how many Hz more for a speed of one unit a second.
export class OneEuro {
  value = null;
  raw = null;
  #settings;
  #speed;
  #time;

  constructor(cutoff, beta, speedCutoff) {
    this.#settings = { cutoff, beta, speedCutoff };
  }

  // Move what was seen so far by a matrix, so that this motion is not smoothed.
  move(matrix) {
    this.value = apply(matrix, this.value);
    this.raw = apply(matrix, this.raw);
  }

  // The smoothed vectors; the timestamp in seconds is later than that of the call before. `noise`:
  // for each vector, the speed that does not open the filter.
  next(vectors, timestamp, noise = vectors.map(() => 0)) {
    const { cutoff, beta, speedCutoff } = this.#settings;
    if (this.value === null) {
      this.value = vectors;
      this.#speed = vectors.map((vector) => vector.map(() => 0));
    } else {
      const elapsed = timestamp - this.#time;
      this.#speed = vectors.map((vector, i) => {
        const speed = vector.map((value, axis) => (value - this.raw[i][axis]) / elapsed);
        return mixed(this.#speed[i], speed, speedCutoff, elapsed);
      });
      this.value = vectors.map((vector, i) => {
        const fast = Math.max(0, Math.hypot(...this.#speed[i]) - noise[i]);
        return mixed(this.value[i], vector, cutoff + beta * fast, elapsed);
      });
    }
    this.raw = vectors;
    this.#time = timestamp;
    return this.value;
  }
}

// An exponential mean with this cut-off.
function mixed(old, now, cutoff, elapsed) {
  const share = 1 / (1 + 1 / (2 * Math.PI * cutoff * elapsed));
  return old.map((value, axis) => value + share * (now[axis] - value));
}

// The similarity that moves landmarks as most of them do: one farther from the common motion than
// `outlier` is hardly believed, such as those of an eyelid that comes down.
export function headMotion(before, after, outlier) {
  let weights = before.map(() => 1);
  let motion;
  for (let step = 0; step < STEPS; step++) {
    motion = fitSimilarity(before, after, weights);
    weights = apply(motion, before).map(([x, y], i) => {
      const apart = Math.hypot(after[i][0] - x, after[i][1] - y) / outlier;
      return 1 / (1 + apart * apart) ** 2;
    });
  }
  return motion;
}

// What all landmarks of a face tremble together, their motion cannot tell from that of the head. So
// the place of the head, of two corners that go with it, has a filter of its own.
class SteadyHead {
  #filter;
  #first; // landmarks,
  #corners; // and the corners of the box around them
  #side;

  constructor({ cutoff, beta, speed_cutoff: speedCutoff }) {
    this.#filter = new OneEuro(cutoff, HEAD_BETA * beta, speedCutoff);
  }

  // Points in pixels of the image; the filter counts in sides of the first crop.
  next(points, side, timestamp, noise) {
    if (!this.#first) {
      const [x0, y0, x1, y1] = boxOf(points);
      [this.#first, this.#corners, this.#side] = [points, [[x0, y0], [x1, y1]], side];
    }
    const head = fitSimilarity(this.#first, points, points.map(() => 1));
    const corners = apply(head, this.#corners);
    const inSides = scaled(corners, 1 / this.#side);
    const filtered = this.#filter.next(inSides, timestamp, inSides.map(() => HEAD_NOISE * noise));
    return apply(fitSimilarity(corners, scaled(filtered, this.#side), [1, 1]), points);
  }
}

function scaled(rows, factor) {
  return rows.map((row) => row.map((value) => factor * value));
}

// Smooths the landmarks of one face.
export class FaceSmoother {
  #numbers;
  #filter;
  #steady;

  constructor(numbers) {
    this.#numbers = numbers;
    this.#filter = new OneEuro(numbers.cutoff, numbers.beta, numbers.speed_cutoff);
    this.#steady = new SteadyHead(numbers);
  }

  // Points in pixels of the image, of a crop of `side` pixels; `sigma`: their scale matrices.
  next(points, cropFromImage, side, timestamp, sigma) {
    // The filter counts in sides of the crop; in it a face has always the same size.
    const sideFromImage = scaled(cropFromImage, 1 / side);
    const inCrop = apply(sideFromImage, points);
    if (this.#filter.raw) {
      this.#filter.move(headMotion(this.#filter.raw, inCrop, this.#numbers.outlier));
    }
    const scale = Math.hypot(sideFromImage[0][0], sideFromImage[1][0]);
    const noise = sigma.map((matrix) => this.#numbers.noise * scale * expectedError(matrix));
    const smoothed = apply(invert(sideFromImage), this.#filter.next(inCrop, timestamp, noise));
    const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
    return this.#steady.next(smoothed, 1 / scale, timestamp, mean);
  }
}
