// Where the faces of an image are, as in keras_lotr/inference/face_detector.py: a network of YuNet's format,
// decoded as OpenCV's FaceDetectorYN does, its cells merged as merge_cells does. (Its five points
// are not needed here.)

import { resizeArea, writePlanes } from "./pixels.js";

const STRIDES = [8, 16, 32];
const DIVISOR = 32; // sides of the network's input are multiples of it

// `run`: planes (1, 3, H, W), H, W -> {cls_8, obj_8, bbox_8, ...}. Gives [{box, score}] in pixels
// of the image, the largest first; boxes are those around the landmarks.
export async function findFaces(image, run, settings, maxSide = settings.max_side) {
  const { width, height } = image;
  const factor = Math.min(1, maxSide / Math.max(width, height));
  const small = resizeArea(image, shorten(width, factor), shorten(height, factor));
  const paddedWidth = Math.ceil(small.width / DIVISOR) * DIVISOR;
  const paddedHeight = Math.ceil(small.height / DIVISOR) * DIVISOR;
  const planes = new Float32Array(3 * paddedWidth * paddedHeight);
  writePlanes(small, [2, 1, 0], planes, 0, paddedWidth, paddedHeight);
  const maps = await run(planes, paddedHeight, paddedWidth);
  const candidates = decode(maps, paddedWidth, settings.score_threshold);
  const found = mergeCells(candidates, settings.nms_threshold);
  const scale = [width / small.width, height / small.height];
  return found
    .map(({ rect, score }) => ({ box: landmarkBox(rect, settings.landmarks_in_box, scale), score }))
    .sort((a, b) => area(b.box) - area(a.box));
}

// Python's round, which takes halves to the even number.
function shorten(side, factor) {
  const length = side * factor;
  const down = Math.floor(length);
  const tie = length - down === 0.5;
  return Math.max(1, tie ? down + (down % 2) : Math.round(length));
}

// Cells whose score reaches the threshold -> [{rect: [x, y, width, height], score}].
export function decode(maps, paddedWidth, scoreThreshold) {
  const found = [];
  for (const stride of STRIDES) {
    const columns = paddedWidth / stride;
    const classScores = maps[`cls_${stride}`];
    const objectScores = maps[`obj_${stride}`];
    const boxes = maps[`bbox_${stride}`];
    for (let cell = 0; cell < classScores.length; cell++) {
      const score = Math.sqrt(clamp(classScores[cell]) * clamp(objectScores[cell]));
      if (score < scoreThreshold) continue;
      const [x, y, logWidth, logHeight] = boxes.subarray(4 * cell, 4 * cell + 4);
      const width = Math.exp(logWidth) * stride;
      const height = Math.exp(logHeight) * stride;
      const left = ((cell % columns) + x) * stride - width / 2;
      const top = (Math.floor(cell / columns) + y) * stride - height / 2;
      found.push({ rect: [left, top, width, height].map(Math.fround), score });
    }
  }
  return found;
}

function clamp(probability) {
  return Math.min(Math.max(probability, 0), 1);
}

// What several cells say of the same face, as one: merge_cells of the library.
export function mergeCells(candidates, nmsThreshold) {
  let rest = [...candidates].sort((a, b) => b.score - a.score);
  const faces = [];
  while (rest.length > 0) {
    const surest = rest[0];
    const overlaps = rest.map(({ rect }) => overlap(surest.rect, rect));
    const same = rest.filter((_, i) => overlaps[i] >= Math.max(0.5, nmsThreshold));
    const total = same.reduce((sum, { score }) => sum + score, 0);
    const rect = surest.rect.map(
      (_, i) => same.reduce((sum, cell) => sum + cell.score * cell.rect[i], 0) / total,
    );
    faces.push({ rect, score: surest.score });
    rest = rest.filter((_, i) => i > 0 && overlaps[i] <= nmsThreshold);
  }
  return faces;
}

// Intersection over union of rectangles x, y, width, height.
function overlap([x, y, width, height], [x2, y2, width2, height2]) {
  const inX = Math.max(0, Math.min(x + width, x2 + width2) - Math.max(x, x2));
  const inY = Math.max(0, Math.min(y + height, y2 + height2) - Math.max(y, y2));
  const union = width * height + width2 * height2 - inX * inY;
  return union > 0 ? (inX * inY) / union : 0;
}

function landmarkBox([x, y, width, height], fractions, [scaleX, scaleY]) {
  const [x0, y0, x1, y1] = fractions;
  const box = [x + x0 * width, y + y0 * height, x + x1 * width, y + y1 * height];
  return box.map((value, i) => Math.fround(value * (i % 2 ? scaleY : scaleX)));
}

function area([x0, y0, x1, y1]) {
  return (x1 - x0) * (y1 - y0);
}
