// Frames of the visitor's camera.

import { paint } from "./photo.js";

const SILENCE = 0.2; // seconds without news of a frame, after which one is taken all the same
const REASONS = {
  NotAllowedError: "This page may not use the camera. Allow it beside the address, then try again.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "The camera is in use by another program.",
};

// Gives {next, stop}: next() is a photo of a frame that was not given yet, with its timestamp in
// seconds; null after the camera has stopped.
export async function startCamera() {
  if (!navigator.mediaDevices) {
    throw new Error("The camera can only be used on a page that is served over https.");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
    });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The camera cannot be used: ${error.message}`);
  }
  const [track] = stream.getVideoTracks();
  // Who looks at themselves expects a mirror.
  const mirrored = track.getSettings().facingMode !== "environment";
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  const newFrame = watch(video, () => track.readyState === "ended");

  return {
    async next() {
      const timestamp = await newFrame();
      if (timestamp === null) return null;
      const { videoWidth: width, videoHeight: height } = video;
      const picture = paint(video, width, height, mirrored);
      const image = picture.getContext("2d").getImageData(0, 0, width, height);
      return { source: "camera", timestamp, width, height, image, picture };
    },
    stop: () => track.stop(),
  };
}

// Gives a function that waits for a frame later than that of its call before, and gives its time.
// The same frame twice would look as if a face had stopped.
function watch(video, hasEnded) {
  const isTold = "requestVideoFrameCallback" in video;
  // A browser need not tell of the frames of a video that is on no page.
  const silence = isTold ? SILENCE : 0;
  let newest = -Infinity;
  let last = -Infinity;
  const note = (now) => {
    newest = now / 1000;
    video.requestVideoFrameCallback(note);
  };
  if (isTold) video.requestVideoFrameCallback(note);
  return async () => {
    do {
      const now = (await new Promise(requestAnimationFrame)) / 1000;
      if (hasEnded()) return null;
      if (now - last > silence) newest = now;
    } while (newest <= last);
    last = newest;
    return last;
  };
}
