// Images as OpenCV resizes and warps them, so that the models see what they see in Python; the
// filters of a canvas are not specified. An image is {data, width, height}: RGBA, 8 bits.

import { apply, compose, determinant, invert } from "./geometry.js";

// Make an image smaller; each pixel is the mean of the area that it covers (cv2.INTER_AREA).
export function resizeArea(image, width, height) {
  if (image.width === width && image.height === height) return image;
  const columns = overlaps(image.width, width);
  const rows = overlaps(image.height, height);
  const sums = new Float32Array(4 * width * height);
  // OpenCV rounds halves to even numbers, as Uint8ClampedArray does, but up in means of 2 x 2 pixels.
  if (image.width === 2 * width && image.height === 2 * height) sums.fill(0.01);
  const line = new Float32Array(4 * width);
  let lineOf = -1; // the row of the image that `line` was made from
  for (let i = 0; i < rows.weight.length; i++) {
    if (rows.from[i] !== lineOf) {
      lineOf = rows.from[i];
      shrinkLine(image.data, 4 * image.width * lineOf, columns, line);
    }
    const start = 4 * width * rows.to[i];
    const weight = rows.weight[i];
    for (let j = 0; j < line.length; j++) sums[start + j] += weight * line[j];
  }
  return { data: new Uint8ClampedArray(sums), width, height };
}

// Which pixels of a line lie, and with how much of the mean, in which pixel of the shorter line.
function overlaps(length, shorter) {
  const scale = length / shorter;
  const from = [];
  const to = [];
  const weight = [];
  for (let target = 0; target < shorter; target++) {
    const first = target * scale;
    const last = Math.min(first + scale, length);
    for (let source = Math.floor(first); source < last; source++) {
      const overlap = Math.min(source + 1, last) - Math.max(source, first);
      if (overlap < 1e-3) continue; // rounding errors, as in OpenCV
      from.push(source);
      to.push(target);
      weight.push(overlap / (last - first));
    }
  }
  return { from: Int32Array.from(from), to: Int32Array.from(to), weight: Float32Array.from(weight) };
}

function shrinkLine(data, start, { from, to, weight }, line) {
  line.fill(0);
  for (let i = 0; i < weight.length; i++) {
    const source = start + 4 * from[i];
    const target = 4 * to[i];
    for (let channel = 0; channel < 4; channel++) {
      line[target + channel] += weight[i] * data[source + channel];
    }
  }
}

// Cut a square crop out of the image; what lies outside the image is black. As geometry.warp.
export function warp(image, cropFromImage, size) {
  const factor = Math.trunc(1 / Math.sqrt(Math.abs(determinant(cropFromImage))));
  if (factor > 1) {
    const { part, imageFromPart } = shrinkAroundCrop(image, cropFromImage, size, factor);
    return bilinear(part, compose(cropFromImage, imageFromPart), size);
  }
  return bilinear(image, cropFromImage, size);
}

// Average blocks of factor x factor pixels, only where the crop looks: otherwise it would alias.
function shrinkAroundCrop(image, cropFromImage, size, factor) {
  const last = size - 1;
  const corners = apply(invert(cropFromImage), [[0, 0], [last, 0], [0, last], [last, last]]);
  const [x0, x1] = span(corners.map(([x]) => x), image.width, factor);
  const [y0, y1] = span(corners.map(([, y]) => y), image.height, factor);
  const part = cut(image, x0, y0, x1 - x0, y1 - y0);
  const blockCenter = (factor - 1) / 2;
  return {
    part: resizeArea(part, part.width / factor, part.height / factor),
    imageFromPart: [
      [factor, 0, x0 + blockCenter],
      [0, factor, y0 + blockCenter],
    ],
  };
}

// First pixel, and the one behind the last, of whole blocks that the coordinates lie in.
function span(coordinates, length, factor) {
  const clip = (value) => Math.min(Math.max(value, 0), length);
  const first = clip(Math.floor(Math.min(...coordinates)) - 2 * factor);
  const end = clip(Math.ceil(Math.max(...coordinates)) + 2 * factor);
  return [first, first + Math.trunc((end - first) / factor) * factor];
}

// The pixels of a rectangle that lies in the image.
export function cut(image, x0, y0, width, height) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    const start = 4 * ((y0 + y) * image.width + x0);
    data.set(image.data.subarray(start, start + 4 * width), 4 * y * width);
  }
  return { data, width, height };
}

function bilinear(image, cropFromImage, size) {
  const { data, width, height } = image;
  const [[a, b, x0], [c, d, y0]] = invert(cropFromImage);
  const crop = new Uint8ClampedArray(4 * size * size);
  for (let v = 0, at = 0; v < size; v++) {
    for (let u = 0; u < size; u++, at += 4) {
      const x = a * u + b * v + x0;
      const y = c * u + d * v + y0;
      const left = Math.floor(x);
      const top = Math.floor(y);
      if (left < -1 || top < -1 || left >= width || top >= height) continue;
      const right = x - left; // weight of the pixels on the right
      const below = y - top;
      // A neighbour outside of the image is black: its weight is 0.
      const inLeft = left >= 0 ? 1 - right : 0;
      const inRight = left + 1 < width ? right : 0;
      const inTop = top >= 0 ? 1 - below : 0;
      const inBelow = top + 1 < height ? below : 0;
      const first = 4 * (top * width + left);
      const second = first + 4 * width;
      for (let channel = 0; channel < 3; channel++) {
        let value = 0;
        if (inTop && inLeft) value += inTop * inLeft * data[first + channel];
        if (inTop && inRight) value += inTop * inRight * data[first + 4 + channel];
        if (inBelow && inLeft) value += inBelow * inLeft * data[second + channel];
        if (inBelow && inRight) value += inBelow * inRight * data[second + 4 + channel];
        crop[at + channel] = value;
      }
    }
  }
  return { data: crop, width: size, height: size };
}

// Write an image as three planes of floats into `planes`, from `start` on.
// `channels`: [0, 1, 2] for RGB, [2, 1, 0] for BGR; the planes may be larger than the image.
export function writePlanes(image, channels, planes, start, planeWidth, planeHeight) {
  channels.forEach((channel, plane) => {
    for (let y = 0; y < image.height; y++) {
      let target = start + (plane * planeHeight + y) * planeWidth;
      let source = 4 * y * image.width + channel;
      for (let x = 0; x < image.width; x++, target++, source += 4) {
        planes[target] = image.data[source];
      }
    }
  });
}
