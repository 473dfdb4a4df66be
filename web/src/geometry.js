// Where a pixel is, as in keras_lotr/geometry.py: a point is [x, y], integer coordinates are pixel
// centres. A matrix is [[a, b, x], [c, d, y]] and is named right to left:
// pointsCrop = apply(cropFromImage, pointsImage).

export function apply([[a, b, x0], [c, d, y0]], points) {
  return points.map(([x, y]) => [a * x + b * y + x0, c * x + d * y + y0]);
}

// Moves points by `first` and then by `second`.
export function compose([[a, b, x0], [c, d, y0]], first) {
  const [[e, f, x1], [g, h, y1]] = first;
  return [
    [a * e + b * g, a * f + b * h, a * x1 + b * y1 + x0],
    [c * e + d * g, c * f + d * h, c * x1 + d * y1 + y0],
  ];
}

export function determinant([[a, b], [c, d]]) {
  return a * d - b * c;
}

export function invert(matrix) {
  const [[a, b, x0], [c, d, y0]] = matrix;
  const det = determinant(matrix);
  const [e, f, g, h] = [d / det, -b / det, -c / det, a / det];
  return [
    [e, f, -(e * x0 + f * y0)],
    [g, h, -(g * x0 + h * y0)],
  ];
}

// The similarity of a crop: a square of `margin` times the longer side of the box, centred.
export function cropFromBox([x0, y0, x1, y1], size, margin) {
  const scale = size / (margin * Math.max(x1 - x0, y1 - y0));
  const center = (size - 1) / 2;
  return [
    [scale, 0, center - (scale * (x0 + x1)) / 2],
    [0, scale, center - (scale * (y0 + y1)) / 2],
  ];
}
