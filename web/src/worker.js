// The finder in a thread of its own, so that the page answers while it computes.

import { createFinder } from "./finder.js";

let finder;

const actions = {
  async load({ files, facts }) {
    finder = await createFinder(files, facts);
  },
  find: ({ image, maxSide }) => finder.find(image, maxSide),
  startCamera: ({ maxSide }) => finder.startCamera(maxSide),
  follow: ({ image, timestamp }) => finder.follow(image, timestamp),
};

self.onmessage = async ({ data: { id, action, ...input } }) => {
  try {
    self.postMessage({ id, output: await actions[action](input) });
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
};
