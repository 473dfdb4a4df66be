// Fetches the models and starts the worker that runs them.

// Inline: such a worker keeps to the content policy of the page; one from a file of its own would
// keep to that file's, which a static host does not send.
import FinderWorker from "./worker.js?worker&inline";
import wasmAddress from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

// Gives {find, startCamera, follow}, see finder.js. `onProgress(bytes, total)`: total is 0 if unknown.
export async function loadFinder(facts, onProgress) {
  const addresses = {
    wasm: wasmAddress,
    detector: `models/${facts.detector.model}.onnx`,
    landmarker: `models/${facts.landmarker.model}.onnx`,
    weights: `models/${facts.landmarker.model}.safetensors`,
  };
  const names = Object.keys(addresses);
  const buffers = await fetchAll(Object.values(addresses), onProgress);
  const files = Object.fromEntries(names.map((name, i) => [name, buffers[i]]));
  const call = startWorker();
  await call("load", { files, facts }, buffers);
  const send = (action, { data, width, height }, input) =>
    call(action, { image: { data, width, height }, ...input }, [data.buffer]);
  return {
    find: (image, maxSide) => send("find", image, { maxSide }),
    startCamera: (maxSide) => call("startCamera", { maxSide }),
    follow: (image, timestamp) => send("follow", image, { timestamp }),
  };
}

async function fetchAll(addresses, onProgress) {
  const responses = await Promise.all(addresses.map((address) => fetchFile(address)));
  const lengths = responses.map(({ headers }) =>
    headers.get("Content-Encoding") ? NaN : Number(headers.get("Content-Length") ?? NaN),
  );
  const total = lengths.reduce((sum, length) => sum + length, 0) || 0;
  let received = 0;
  const read = async (response) => {
    const parts = [];
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      received += part.value.length;
      onProgress(received, total);
    }
    return new Blob(parts).arrayBuffer();
  };
  return Promise.all(responses.map(read));
}

export async function fetchFile(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`The server has no ${address} (${response.status}).`);
  return response;
}

function startWorker() {
  const worker = new FinderWorker();
  const waiting = new Map();
  let lastId = 0;
  worker.onmessage = ({ data: { id, output, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(output);
  };
  worker.onerror = ({ message }) => {
    for (const { reject } of waiting.values()) reject(new Error(message));
    waiting.clear();
  };
  return (action, input, transferred) =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      worker.postMessage({ id: lastId, action, ...input }, transferred);
    });
}
