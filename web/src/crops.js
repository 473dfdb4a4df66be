// Where the network looks for a face whose landmarks of the frame before are known, as in
// keras_lotr/tracking/crops.py. `numbers`: tracking of src/facts.json.

import { apply, boxOf, invert, meanOf, similarity, squareOf } from "./geometry.js";
import { OneEuro } from "./smoothing.js";

// The upright crop around a face that moves, steadier than its landmarks: a crop that trembles
// makes the landmarks tremble, and they the next crop.
export class SteadyCrop {
  #center;
  #logSide;
  #angle;
  #side = null;
  #degrees;

  constructor({ crops, smoothing }) {
    const { cutoff, beta } = crops;
    const settings = { cutoff, beta, noise: 0, speed_cutoff: smoothing.speed_cutoff };
    const filter = () => new OneEuro(settings);
    [this.#center, this.#logSide, this.#angle] = [filter(), filter(), filter()];
  }

  // `cropFromImage` for points where the landmarks are expected, and `offset` of BoxesBeside.
  next(points, degrees, timestamp, { image_size: size, margin }, offset) {
    const upright = uprightSquare(points, degrees);
    const found = upright.center.map((value, axis) => value + upright.side * offset[axis]);
    const side = upright.side * Math.exp(offset[2]);
    if (this.#side === null) [this.#side, this.#degrees] = [side, degrees];
    const turn = degrees - this.#degrees;
    this.#degrees += turn - 360 * Math.floor((turn + 180) / 360); // no jump at 180 degrees
    const inSides = [found.map((value) => value / this.#side)];
    const [center] = this.#center.next(inSides, timestamp);
    const [[logSide]] = this.#logSide.next([[Math.log(side)]], timestamp);
    const [[angle]] = this.#angle.next([[(this.#degrees * Math.PI) / 180]], timestamp);
    const middle = (size - 1) / 2;
    const scale = size / (margin * Math.exp(logSide));
    const from = center.map((value) => value * this.#side);
    return similarity(from, [middle, middle], scale, (-angle * 180) / Math.PI);
  }
}

// How the detector's boxes differ from those around the landmarks, on average: `offset` is x and y
// of their centres in sides of the box, and the logarithm of the size. The detector does not know
// the landmarks, so an error of theirs does not stay in the crop.
export class BoxesBeside {
  offset = [0, 0, 0];
  #count = 0;
  #memory;

  constructor({ crops }) {
    this.#memory = crops.memory;
  }

  // Take the box of the landmarks, and what the detector found of this face.
  compare(box, face) {
    const [{ center, side }, other] = [box, face.box].map(squareOf);
    const [own, otherSide] = [Math.max(1, side), Math.max(1, other.side)];
    const apart = center.map((value, axis) => (other.center[axis] - value) / own);
    const found = [...apart, Math.log(otherSide / own)];
    this.#count += 1;
    const share = 1 / Math.min(this.#count, this.#memory);
    this.offset = this.offset.map((value, i) => value + share * (found[i] - value));
  }
}

// Centre and longer side, 1 pixel at least, of the box around landmarks turned upright.
export function uprightSquare(points, degrees) {
  const upright = similarity([0, 0], [0, 0], 1, -degrees);
  const { center, side } = squareOf(boxOf(apply(upright, points)));
  return { center: apply(invert(upright), [center])[0], side: Math.max(1, side) };
}

// The in-plane rotation of a face, clockwise: of the line from its eyes to its mouth.
export function uprightDegrees(points, fivePoints) {
  const five = fivePoints.map((indices) => meanOf(indices.map((i) => points[i])));
  const [eyes, mouth] = [meanOf(five.slice(0, 2)), meanOf(five.slice(3))];
  return (Math.atan2(eyes[0] - mouth[0], mouth[1] - eyes[1]) * 180) / Math.PI;
}
