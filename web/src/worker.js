// The finder in a thread of its own, so that the page answers while it computes.

import { createFinder } from "./finder.js";

let find;

const actions = {
  async load({ files, facts }) {
    find = await createFinder(files, facts);
  },
  find: ({ image, maxSide }) => find(image, maxSide),
};

self.onmessage = async ({ data: { id, action, ...input } }) => {
  try {
    self.postMessage({ id, output: await actions[action](input) });
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
};
