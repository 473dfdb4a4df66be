// Landmarks that do not tremble and do not lag: One-Euro filters (Casiez et al., CHI 2012) that move
// with the head, as in keras_lotr/tracking/smoothing.py. How the head moves is seen in the image
// there, by optical flow; here the landmarks themselves say it, most of which move together.
// The page leaves more of the trembling; docs/video.md has the numbers of both.
// `numbers`: tracking.smoothing of src/facts.json.

import { apply, boxOf, fitSimilarity, invert } from "./geometry.js";
import { expectedError } from "./certainty.js";

const STEPS = 12; // weights and motion in turns: so many, since half of the landmarks may disagree
// The filter of the head's place; all landmarks together know it better than one knows its own, so
// a speed of three of their expected errors a second is its noise.
const HEAD = { cutoff: 2, beta: 80 };
const HEAD_NOISE = 3;

// The filter, for a list of vectors of which each has a speed of its own: cut-offs in Hz, of what is
// at rest and of the speed, and how many Hz more for a speed of one unit a second above `noise`.
export class OneEuro {
  value = null;
  raw = null;
  speed;
  #settings;
  #time;

  constructor(settings) {
    this.#settings = settings;
  }

  // The smoothed vectors; the timestamp in seconds is later than that of the call before.
  next(vectors, timestamp) {
    if (this.value === null) {
      this.value = vectors;
      this.speed = vectors.map((vector) => vector.map(() => 0));
    } else {
      const elapsed = timestamp - this.#time;
      this.value = vectors.map((vector, i) => {
        const speed = vector.map((value, axis) => (value - this.raw[i][axis]) / elapsed);
        this.speed[i] = mixed(this.speed[i], speed, this.#settings.speed_cutoff, elapsed);
        return this.follow(i, vector, elapsed, speed);
      });
    }
    this.raw = vectors;
    this.#time = timestamp;
    return this.value;
  }

  // The next smoothed vector `i`; `speed`: what it has now, not averaged as in `this.speed`.
  follow(i, vector, elapsed) {
    const { cutoff, beta, noise } = this.#settings;
    const fast = Math.max(0, Math.hypot(...this.speed[i]) - noise);
    return mixed(this.value[i], vector, cutoff + beta * fast, elapsed);
  }
}

// A filter that learns how landmarks tremble, and opens for what is faster than that, which is also
// carried on at the speed by which it is faster. `errors`: the expected ones, of the first vectors.
export class LandmarkFilter extends OneEuro {
  #numbers;
  #trembling;
  #least;

  constructor(numbers, errors) {
    super(numbers);
    this.#numbers = numbers;
    this.#trembling = errors.map((error) => numbers.first_trembling * error);
    this.#least = this.#trembling.map((trembling) => numbers.least_trembling * trembling);
  }

  // Move what was seen so far by a matrix, so that this motion is not smoothed.
  move(matrix) {
    this.value = apply(matrix, this.value);
    this.raw = apply(matrix, this.raw);
  }

  follow(i, vector, elapsed, speed) {
    const { cutoff, beta, limit, noise, trembling_time: time, most_trembling: most } = this.#numbers;
    const mean = this.speed[i];
    const length = Math.hypot(...mean);
    const change = Math.hypot(...speed.map((value, axis) => value - mean[axis]));
    const usual = this.#trembling[i];
    const fast = Math.max(0, length - noise * usual);
    const share = 1 - Math.exp(-elapsed / time);
    const trembling = usual + share * (Math.min(change, most * usual) - usual);
    this.#trembling[i] = Math.max(trembling, this.#least[i]);
    const carried = (elapsed * fast) / Math.max(length, 1e-9);
    const ahead = this.value[i].map((value, axis) => value + carried * mean[axis]);
    return mixed(ahead, vector, Math.min(cutoff + beta * fast, limit), elapsed);
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

  // `side` of the first crop, in which the filter counts, and the landmarks' mean expected error.
  constructor(numbers, points, side, error) {
    const [x0, y0, x1, y1] = boxOf(points);
    [this.#first, this.#corners, this.#side] = [points, [[x0, y0], [x1, y1]], side];
    this.#filter = new OneEuro({ ...numbers, ...HEAD, noise: HEAD_NOISE * error });
  }

  // Points in pixels of the image.
  next(points, timestamp) {
    const head = fitSimilarity(this.#first, points, points.map(() => 1));
    const corners = apply(head, this.#corners);
    const filtered = this.#filter.next(scaled(corners, 1 / this.#side), timestamp);
    return apply(fitSimilarity(corners, scaled(filtered, this.#side), [1, 1]), points);
  }
}

function scaled(rows, factor) {
  return rows.map((row) => row.map((value) => factor * value));
}

// Smooths the landmarks of one face.
export class FaceSmoother {
  #numbers;
  #filter = null;
  #steady;

  constructor(numbers) {
    this.#numbers = numbers;
  }

  // Points in pixels of the image, of a crop of `side` pixels; `sigma`: their scale matrices.
  next(points, cropFromImage, side, timestamp, sigma) {
    // The filter counts in sides of the crop; in it a face has always the same size.
    const sideFromImage = scaled(cropFromImage, 1 / side);
    const inCrop = apply(sideFromImage, points);
    if (this.#filter === null) {
      const scale = Math.hypot(sideFromImage[0][0], sideFromImage[1][0]);
      const errors = sigma.map((matrix) => scale * expectedError(matrix));
      const mean = errors.reduce((sum, value) => sum + value, 0) / errors.length;
      this.#filter = new LandmarkFilter(this.#numbers, errors);
      this.#steady = new SteadyHead(this.#numbers, points, 1 / scale, mean);
    } else {
      this.#filter.move(headMotion(this.#filter.raw, inCrop, this.#numbers.outlier));
    }
    const smoothed = apply(invert(sideFromImage), this.#filter.next(inCrop, timestamp));
    return this.#steady.next(smoothed, timestamp);
  }
}
