// An image file -> its pixels, upright.

const MAX_PIXELS = 50_000_000; // more would not fit into the memory of phones
const STRIP_PIXELS = 4_000_000; // nor a whole photo into a canvas
const SHOWN_SIDE = 1600;

// A photo is {source, width, height, image, picture}: `image` are the pixels that the models look
// at, {data, width, height}; `picture` is a canvas to show, smaller if the photo is large.
export async function readPhoto(file) {
  const { width, height } = await claimedSize(file);
  if (width * height > MAX_PIXELS) {
    const limit = `at most ${MAX_PIXELS / 1e6} million pixels can be looked at`;
    throw new Error(`This image is too large: ${width} x ${height}; ${limit}.`);
  }
  let bitmap;
  try {
    // The colours as they are stored, as OpenCV reads them.
    bitmap = await createImageBitmap(file, {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
  } catch {
    throw notAPicture(file);
  }
  const image = pixels(bitmap);
  const scale = Math.min(1, SHOWN_SIDE / Math.max(image.width, image.height));
  const picture = paint(bitmap, Math.round(image.width * scale), Math.round(image.height * scale));
  bitmap.close();
  return { source: file.name, width: image.width, height: image.height, image, picture };
}

// Browsers read a file's header before they decode its pixels.
async function claimedSize(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
    });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    throw notAPicture(file);
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

function notAPicture(file) {
  const name = file.name || "This";
  const advice = "Try a JPEG, PNG or WebP file.";
  return new Error(`${name} is not an image that this browser can read. ${advice}`);
}

function pixels(bitmap) {
  const { width, height } = bitmap;
  const data = new Uint8ClampedArray(4 * width * height);
  const rows = Math.min(height, Math.ceil(STRIP_PIXELS / width));
  const context = newContext(width, rows);
  for (let y = 0; y < height; y += rows) {
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -y);
    const strip = context.getImageData(0, 0, width, Math.min(rows, height - y));
    data.set(strip.data, 4 * width * y);
  }
  return { data, width, height };
}

// `source` on a canvas of its own, at this size.
export function paint(source, width, height, mirrored = false) {
  const context = newContext(Math.max(1, width), Math.max(1, height));
  const { canvas } = context;
  context.imageSmoothingQuality = "high";
  if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function newContext(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d", { willReadFrequently: true });
}
