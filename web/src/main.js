// The page: what the visitor does, and what is shown.

import { startCamera } from "./camera.js";
import { draw } from "./drawing.js";
import facts from "./facts.json";
import { fetchFile, loadFinder } from "./loading.js";
import { readPhoto } from "./photo.js";
import { count, download, fillTable, summary, toEntry } from "./results.js";

const CAMERA_MAX_SIDE = 320; // faces are near the camera; the detector is four times as fast
const scheme = facts.schemes[facts.landmarker.scheme];
const element = (id) => document.getElementById(id);

let shown = null; // {photo, faces}
let camera = null;
let lastTask = 0; // what was begun later replaces what was begun earlier

const finder = loadFinder(facts, showProgress).catch((error) => {
  throw new Error(`The models could not be loaded; try to reload the page. (${error.message})`);
});
finder
  .then(() => !lastTask && say("Ready. Choose an image, or start the camera."))
  .catch((error) => say(error.message, true))
  .finally(() => (element("progress").hidden = true));

// Gives a function that says whether nothing else was begun since.
function begin() {
  const task = ++lastTask;
  return () => task === lastTask;
}

function showProgress(bytes, total) {
  if (total) element("progress").value = bytes / total;
  if (lastTask) return; // the status is about something else
  const megabytes = (count) => Math.round(count / 1e6);
  const all = total ? ` of ${megabytes(total)}` : "";
  const loading = `Loading the models: ${megabytes(bytes)}${all} MB`;
  say(bytes === total ? "Starting the models ..." : loading);
}

function say(sentence, wrong = false) {
  element("status").textContent = sentence;
  element("status").classList.toggle("wrong", wrong);
}

function show(photo, faces) {
  shown = { photo, faces };
  element("canvas").hidden = false;
  element("welcome").hidden = true;
  redraw();
  fillTable(element("rows"), faces);
  element("faces").hidden = !faces.length;
}

function redraw() {
  const { photo, faces } = shown;
  const boxes = [...element("layers").querySelectorAll("input")];
  const layers = Object.fromEntries(boxes.map(({ name, checked }) => [name, checked]));
  const canvas = element("canvas");
  draw(canvas, photo, faces, scheme, facts.drawing, layers);
  canvas.setAttribute("aria-label", `${photo.source}, with the landmarks of ${count(faces)}`);
}

// Of a file, or of the promise of one.
async function showPicture(file) {
  const isLast = begin();
  stopCamera();
  document.body.classList.add("busy");
  try {
    const photo = await readPhoto(await file);
    if (!isLast()) return;
    show(photo, []);
    element("canvas").scrollIntoView({ block: "nearest" }); // examples are below it on a phone
    say("Looking for faces ...");
    const { find } = await finder;
    if (!isLast()) return;
    const { faces, seconds } = await find(photo.image, facts.detector.max_side);
    if (!isLast()) return;
    show(photo, faces);
    say(summary(faces, seconds));
  } catch (error) {
    if (isLast()) say(error.message, true);
  } finally {
    if (isLast()) document.body.classList.remove("busy");
  }
}

async function showCamera() {
  const isLast = begin();
  document.body.classList.remove("busy");
  try {
    say("Starting the camera ...");
    const started = await startCamera();
    if (!isLast()) return started.stop();
    camera = started;
    element("camera").textContent = "Stop camera";
    await showFrames(await finder, isLast);
    if (isLast()) say("The camera is off. The last image stays.");
  } catch (error) {
    if (isLast()) say(error.message, true);
  } finally {
    if (isLast()) stopCamera();
  }
}

// Until something else is begun or the camera ends.
async function showFrames(models, isLast) {
  await models.startCamera(CAMERA_MAX_SIDE);
  let [frames, since] = [0, performance.now()];
  for (let photo = await camera.next(); photo; photo = await camera.next()) {
    const faces = await models.follow(photo.image, photo.timestamp);
    if (!isLast()) return;
    show(photo, faces);
    frames += 1;
    const seconds = (performance.now() - since) / 1000;
    if (seconds > 1) {
      say(`Camera: ${count(faces)}, ${(frames / seconds).toFixed(1)} frames/s.`);
      [frames, since] = [0, performance.now()];
    }
  }
}

function stopCamera() {
  camera?.stop();
  camera = null;
  element("camera").textContent = "Start camera";
}

async function fetchExample(address) {
  const content = await (await fetchFile(address)).blob();
  return new File([content], address.split("/").pop(), { type: content.type });
}

element("file").addEventListener("change", ({ target }) => {
  if (target.files.length) showPicture(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});
element("camera").addEventListener("click", () => {
  if (camera) camera.stop();
  else showCamera();
});
element("layers").addEventListener("change", () => shown && redraw());
window.addEventListener("resize", () => shown && redraw()); // lines follow the size on the screen
element("download").addEventListener("click", () => {
  download(toEntry(shown.photo, shown.faces, facts.landmarker.scheme));
});
for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", () => showPicture(fetchExample(button.dataset.example)));
}
document.addEventListener("paste", ({ clipboardData }) => {
  if (clipboardData.files.length) showPicture(clipboardData.files[0]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault(); // otherwise the browser opens the file
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  if (event.dataTransfer.files.length) showPicture(event.dataTransfer.files[0]);
});
