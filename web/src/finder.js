// Both models in onnxruntime-web: an image -> faces with their landmarks.

import * as ort from "onnxruntime-web/wasm";

import { isFace } from "./certainty.js";
import { findFaces } from "./detector.js";
import { findLandmarks } from "./landmarks.js";

// `files`: {wasm, detector, landmarker, weights} as ArrayBuffers; `facts`: src/facts.json. The
// landmarker's file reads its weights from model.safetensors, as in a preset.
// Gives find(image, maxSide) -> {faces: [{points, box, score}], seconds: {detector, landmarks}}.
export async function createFinder(files, facts) {
  ort.env.wasm.wasmBinary = files.wasm;
  ort.env.wasm.numThreads = 1; // more need headers that few static hosts send
  const detector = await ort.InferenceSession.create(files.detector);
  const externalData = [{ path: "model.safetensors", data: new Uint8Array(files.weights) }];
  const landmarker = await ort.InferenceSession.create(files.landmarker, { externalData });
  const { image_size: size, certainty: numbers } = facts.landmarker;

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

  return async function find(image, maxSide) {
    const start = performance.now();
    const settings = { ...facts.detector, candidate_score: numbers.candidate_score };
    const proposed = await findFaces(image, detect, settings, maxSide);
    const middle = performance.now();
    const boxes = proposed.map(({ box }) => box);
    const landmarks = await findLandmarks(image, boxes, landmark, facts.landmarker);
    const end = performance.now();
    const faces = proposed.map((face, i) => ({ ...face, ...landmarks[i] }));
    return {
      faces: faces.filter((face) => isFace(face, facts.detector.score_threshold, numbers)),
      seconds: { detector: (middle - start) / 1000, landmarks: (end - middle) / 1000 },
    };
  };
}
