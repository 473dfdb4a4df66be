// Frames of the visitor's camera.

import { paint } from "./photo.js";

const REASONS = {
  NotAllowedError: "This page may not use the camera. Allow it beside the address, then try again.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "The camera is in use by another program.",
};

// Gives {next, stop}: next() is a photo of the next frame, null after the camera has stopped.
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

  return {
    async next() {
      await new Promise(requestAnimationFrame);
      if (track.readyState === "ended") return null;
      const { videoWidth: width, videoHeight: height } = video;
      const picture = paint(video, width, height, mirrored);
      const image = picture.getContext("2d").getImageData(0, 0, width, height);
      return { source: "camera", width, height, image, picture };
    },
    stop: () => track.stop(),
  };
}
