// Both models in onnxruntime-web: an image -> faces with their landmarks.

import * as ort from "onnxruntime-web/wasm";

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
  const size = facts.landmarker.image_size;

  async function detect(planes, height, width) {
    const images = new ort.Tensor("float32", planes, [1, 3, height, width]);
    const outputs = await detector.run({ images });
    return Object.fromEntries(Object.entries(outputs).map(([name, map]) => [name, map.data]));
  }

  async function landmark(planes, number) {
    const images = new ort.Tensor("float32", planes, [number, 3, size, size]);
    return (await landmarker.run({ images })).points_crop.data;
  }

  return async function find(image, maxSide) {
    const start = performance.now();
    const faces = await findFaces(image, detect, facts.detector, maxSide);
    const middle = performance.now();
    const boxes = faces.map(({ box }) => box);
    const points = await findLandmarks(image, boxes, landmark, facts.landmarker);
    const end = performance.now();
    return {
      faces: faces.map((face, i) => ({ ...face, points: points[i] })),
      seconds: { detector: (middle - start) / 1000, landmarks: (end - middle) / 1000 },
    };
  };
}
