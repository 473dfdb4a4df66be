// Where the faces of an image are, as in keras_lotr/inference/face_detector.py: a network of YuNet's format,
// decoded as OpenCV's FaceDetectorYN does, its cells merged as merge_cells does. (Its five points
// are not needed here.)

import { writePlanes } from "./pixels.js";
import { areaOf, join, pyramid } from "./pyramid.js";

const STRIDES = [8, 16, 32];
const DIVISOR = 32; // sides of the network's input are multiples of it

// `run`: planes (1, 3, H, W), H, W -> {cls_8, obj_8, bbox_8, ...}. Gives [{box, score}] in pixels
// of the image, the largest first; boxes are those around the landmarks.
export async function findFaces(image, run, settings, maxSide = settings.max_side) {
  const looks = [];
  for (const level of pyramid(image, maxSide, settings.pyramid)) {
    looks.push(await look(level, run, settings));
  }
  const faces = join(looks, settings.nms_threshold, settings.pyramid, settings.score_threshold);
  return faces.sort((a, b) => areaOf(b.box) - areaOf(a.box));
}

// The faces in one copy of the image: [{isBest, face: {box, score}}].
async function look(level, run, settings) {
  const { picture, scale } = level;
  const width = Math.ceil(picture.width / DIVISOR) * DIVISOR;
  const height = Math.ceil(picture.height / DIVISOR) * DIVISOR;
  const planes = new Float32Array(3 * width * height);
  writePlanes(picture, [2, 1, 0], planes, 0, width, height);
  const maps = await run(planes, height, width);
  const [x0, y0, x1, y1] = settings.landmarks_in_box;
  const smallest = settings.pyramid.overlap_of_sizes * level.smallest;
  const candidates = decode(maps, width, settings.candidate_score).filter(
    ({ rect }) => Math.max((x1 - x0) * rect[2], (y1 - y0) * rect[3]) * Math.max(...scale) > smallest,
  );
  const found = mergeCells(candidates, settings.nms_threshold, settings.score_threshold);
  return found.map(({ rect, score }) => {
    const box = landmarkBox(rect, settings.landmarks_in_box, level);
    const side = Math.max(box[2] - box[0], box[3] - box[1]);
    const isBest = level.smallest < side && side <= level.largest;
    return { isBest, face: { box: box.map(Math.fround), score } };
  });
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
// Cells below `sureScore` have no part in the mean of a face above it.
export function mergeCells(candidates, nmsThreshold, sureScore = 0) {
  let rest = [...candidates].sort((a, b) => b.score - a.score);
  const faces = [];
  while (rest.length > 0) {
    const surest = rest[0];
    const overlaps = rest.map(({ rect }) => overlap(surest.rect, rect));
    const least = Math.min(sureScore, surest.score);
    const same = rest.filter(
      ({ score }, i) => overlaps[i] >= Math.max(0.5, nmsThreshold) && score >= least,
    );
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

function landmarkBox([x, y, width, height], fractions, { border, scale }) {
  const [x0, y0, x1, y1] = fractions;
  const box = [x + x0 * width, y + y0 * height, x + x1 * width, y + y1 * height];
  return box.map((value, i) => (value - border[i % 2]) * scale[i % 2]);
}
