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

// The similarity that turns about `from`, scales, and puts it on `to`; degrees turn x towards y.
export function similarity(from, to, scale = 1, degrees = 0) {
  const angle = (degrees * Math.PI) / 180;
  const [a, b] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  return [
    [a, -b, to[0] - (a * from[0] - b * from[1])],
    [b, a, to[1] - (b * from[0] + a * from[1])],
  ];
}

// The similarity that leads points `from` to points `to`, nearest in weighted least squares.
export function fitSimilarity(from, to, weights) {
  const [fromX, fromY] = meanOf(from, weights);
  const [toX, toY] = meanOf(to, weights);
  let [power, along, across] = [0, 0, 0];
  from.forEach(([x, y], i) => {
    const [p, q, r, s] = [x - fromX, y - fromY, to[i][0] - toX, to[i][1] - toY];
    power += weights[i] * (p * p + q * q);
    along += weights[i] * (p * r + q * s);
    across += weights[i] * (p * s - q * r);
  });
  const [a, b] = [along / power, across / power];
  return [
    [a, -b, toX - (a * fromX - b * fromY)],
    [b, a, toY - (b * fromX + a * fromY)],
  ];
}

// The (weighted) mean of points.
export function meanOf(points, weights = points.map(() => 1)) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return [0, 1].map(
    (axis) => points.reduce((sum, point, i) => sum + weights[i] * point[axis], 0) / total,
  );
}

// The box [x0, y0, x1, y1] around points.
export function boxOf(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

// Centre and longer side of a box.
export function squareOf([x0, y0, x1, y1]) {
  return { center: [(x0 + x1) / 2, (y0 + y1) / 2], side: Math.max(x1 - x0, y1 - y0) };
}

// The similarity of a crop: a square of `margin` times the longer side of the box, centred, in
// which a face that is tilted by so many degrees is upright.
export function cropFromBox(box, size, margin, degrees = 0) {
  const { center, side } = squareOf(box);
  const middle = (size - 1) / 2;
  return similarity(center, [middle, middle], size / (margin * side), -degrees);
}
