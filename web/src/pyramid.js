// A picture at several sizes for the detector, and what was found in all of them as one list, as in
// keras_lotr/inference/face_pyramid.py: faces that fill the picture are seen in a small copy with a
// border. `numbers`: those of src/facts.json.

import { resizeArea } from "./pixels.js";

// The copies of an image, the largest first: [{picture, border: [x, y], scale: [x, y], smallest,
// largest}]; faces whose longer side (image pixels) is between the last two are seen best in it.
export function pyramid(image, maxSide, numbers) {
  const shape = [image.width, image.height];
  const longer = Math.max(...shape);
  const levels = [];
  let side = Math.min(maxSide, longer);
  let smallest = 0;
  let picture = image;
  for (;;) {
    const isLast = side <= numbers.last_side;
    const size = shape.map((length) => Math.max(1, roundEven(length * (side / longer))));
    picture = levels.length > 0 ? smaller(picture, size) : resizeArea(image, ...size);
    const scale = shape.map((length, i) => length / size[i]);
    if (isLast) {
      const border = size.map((length) => roundEven(numbers.border * length));
      levels.push({ picture: framed(picture, border), border, scale, smallest, largest: Infinity });
      return levels;
    }
    const largest = Math.min(numbers.large_face, numbers.large_part * side) * Math.max(...scale);
    levels.push({ picture, border: [0, 0], scale, smallest, largest });
    side = Math.max(numbers.last_side, roundEven(numbers.step * side));
    smallest = largest;
  }
}

// Python's round, which takes halves to the even number.
export function roundEven(value) {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + (down % 2) : Math.round(value);
}

// Halved first, where no pixel is left over.
function smaller(picture, [width, height]) {
  let rest = picture;
  while (rest.width % 2 === 0 && rest.height % 2 === 0 && rest.width >= 2 * width) {
    rest = resizeArea(rest, rest.width / 2, rest.height / 2);
  }
  return resizeArea(rest, width, height);
}

// With a border in which the outermost pixels are repeated.
function framed({ data, width, height }, [x, y]) {
  const wide = width + 2 * x;
  const high = height + 2 * y;
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const to = new Uint32Array(wide * high);
  const inside = (at, length) => Math.min(Math.max(at, 0), length - 1);
  for (let row = 0; row < high; row++) {
    for (let column = 0; column < wide; column++) {
      const source = inside(row - y, height) * width + inside(column - x, width);
      to[row * wide + column] = from[source];
    }
  }
  return { data: new Uint8ClampedArray(to.buffer), width: wide, height: high };
}

// `looks`: for each copy [{isBest, face: {box, score}}]. Of faces that are the same, or of which
// one lies in the other, the one of the best look is kept, or else the surest.
// Faces with a score below `sureScore` give way to all others.
export function join(looks, nmsThreshold, numbers, sureScore = 0) {
  if (looks.filter((look) => look.length > 0).length <= 1) {
    return looks.flat().map(({ face }) => face);
  }
  let rest = looks.flat();
  const isSure = ({ face }) => face.score >= sureScore;
  rest.sort(
    (a, b) => isSure(b) - isSure(a) || b.isBest - a.isBest || b.face.score - a.face.score,
  );
  const kept = [];
  while (rest.length > 0) {
    const [{ face }, ...others] = rest;
    kept.push(face);
    rest = others.filter((other) => {
      const common = commonArea(face.box, other.face.box);
      const area = areaOf(other.face.box);
      const isSame = common / (areaOf(face.box) + area - common) > nmsThreshold;
      return !isSame && !(common / area > numbers.part_of_face);
    });
  }
  return kept;
}

function commonArea([x0, y0, x1, y1], [x2, y2, x3, y3]) {
  const width = Math.min(x1, x3) - Math.max(x0, x2);
  const height = Math.min(y1, y3) - Math.max(y0, y2);
  return Math.max(0, width) * Math.max(0, height);
}

export function areaOf([x0, y0, x1, y1]) {
  return (x1 - x0) * (y1 - y0);
}
