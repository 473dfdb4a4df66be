// Both models in onnxruntime-web: an image, or the frames of a camera -> faces with their landmarks.

import * as ort from "onnxruntime-web/wasm";

import { verified, withMiddle } from "./certainty.js";
import { findFaces } from "./detector.js";
import { cropFromBox } from "./geometry.js";
import { landmarksOf } from "./landmarks.js";
import { warp } from "./pixels.js";
import { FaceTracker } from "./tracker.js";

// `files`: {wasm, detector, landmarker, weights} as ArrayBuffers; `facts`: src/facts.json. The
// landmarker's file reads its weights from model.safetensors, as in a preset.
// Gives find(image, maxSide) -> {faces: [{points, box, score}], seconds: {detector, landmarks}};
// startCamera(maxSide), before the first frame of a camera; follow(image, timestamp) -> the faces of
// its next frame, see tracker.js. The detector looks at `maxSide` pixels.
export async function createFinder(files, facts) {
  ort.env.wasm.wasmBinary = files.wasm;
  ort.env.wasm.numThreads = 1; // more need headers that few static hosts send
  const detector = await ort.InferenceSession.create(files.detector);
  const externalData = [{ path: "model.safetensors", data: new Uint8Array(files.weights) }];
  const landmarker = await ort.InferenceSession.create(files.landmarker, { externalData });
  const { image_size: size, margin, certainty: numbers } = facts.landmarker;
  const settings = { ...facts.detector, candidate_score: numbers.candidate_score };
  const sureScore = facts.detector.score_threshold;

  async function detect(planes, height, width) {
    const images = new ort.Tensor("float32", planes, [1, 3, height, width]);
    const outputs = await detector.run({ images });
    return Object.fromEntries(Object.entries(outputs).map(([name, map]) => [name, map.data]));
  }

  async function landmark(planes, number) {
    const images = new ort.Tensor("float32", planes, [number, 3, size, size]);
    const { points_crop: points, certainty } = await landmarker.run({ images });
    return { points: points.data, certainty: certainty.data };
  }

  const propose = (image, maxSide) => findFaces(image, detect, settings, maxSide);
  const landmarks = (crops, matrices) => landmarksOf(crops, matrices, landmark, facts.landmarker);

  async function find(image, maxSide) {
    const start = performance.now();
    const candidates = await propose(image, maxSide);
    const proposed = withMiddle(candidates, image, sureScore, numbers);
    const middle = performance.now();
    const matrices = proposed.map(({ box }) => cropFromBox(box, size, margin));
    const crops = matrices.map((matrix) => warp(image, matrix, size));
    const found = await landmarks(crops, matrices);
    const end = performance.now();
    const faces = proposed.map((face, i) => ({ ...face, ...found[i] }));
    return {
      faces: verified(faces, sureScore, numbers),
      seconds: { detector: (middle - start) / 1000, landmarks: (end - middle) / 1000 },
    };
  }

  let tracker;
  let lastSize;

  async function startCamera(maxSide) {
    // The first run of a model is slow, and after a pause between frames all faces would be new.
    const blank = { data: new Uint8ClampedArray(4 * size * size), width: size, height: size };
    await propose(blank, maxSide);
    await landmarks([blank], [cropFromBox([0, 0, size, size], size, 1)]);
    tracker = new FaceTracker((image) => propose(image, maxSide), landmarks, facts);
    lastSize = null;
  }

  function follow(image, timestamp) {
    const imageSize = `${image.width} x ${image.height}`;
    if (imageSize !== lastSize) tracker.reset(); // the camera was turned
    lastSize = imageSize;
    return tracker.next(image, timestamp);
  }

  return { find, startCamera, follow };
}
