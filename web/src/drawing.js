// Landmarks on an image, as keras_lotr/images/drawing.py draws them.

import { boxOf, squareOf } from "./geometry.js";
import { numberOf } from "./results.js";

const LONGER_SIDE = 1600; // pixels of the canvas
const MAX_MAGNIFICATION = 4;

// Draw a photo and its faces. `layers`: {points, contours, numbers, boxes}, each on or off.
export function draw(canvas, photo, faces, scheme, colors, layers) {
  const longer = Math.max(photo.width, photo.height);
  const scale = Math.min(MAX_MAGNIFICATION, LONGER_SIDE / longer);
  canvas.width = Math.round(photo.width * scale);
  canvas.height = Math.round(photo.height * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(photo.picture, 0, 0, canvas.width, canvas.height);
  // From here on in pixels of the photo, whose centres are whole numbers.
  context.setTransform(scale, 0, 0, scale, scale / 2, scale / 2);
  context.lineJoin = context.lineCap = "round";
  const visible = photo.width / canvas.clientWidth; // a pixel of the page, in pixels of the photo
  for (const face of faces) drawFace(context, face, scheme, colors, layers, visible);
  const isNumbered = faces.length > 1 || faces[0]?.trackId !== undefined;
  if (isNumbered) {
    faces.forEach((face, i) => drawBadge(context, face, numberOf(face, i), 16 * visible));
  }
}

function drawFace(context, { points, box, visible: seen }, scheme, colors, layers, visible) {
  // Sizes follow the face; a line is never too thin to be seen.
  const stroke = Math.max(squareOf(boxOf(points)).side / 200, 0.45, 0.45 * visible);
  const colorOf = (region) => colors.regions[region] ?? colors.other;
  if (layers.boxes) {
    const [x0, y0, x1, y1] = box;
    const corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    drawLine(context, corners, true, colors.box, colors.rim, stroke);
  }
  if (layers.contours) {
    for (const { region, indices, closed } of scheme.contours) {
      const line = indices.map((i) => points[i]);
      drawLine(context, line, closed, colorOf(region), colors.rim, stroke);
    }
  }
  if (layers.points) {
    for (const [region, indices] of Object.entries(scheme.regions)) {
      for (const i of indices) {
        drawDot(context, points[i], colorOf(region), colors.rim, stroke, seen[i] < 0.5);
      }
    }
  }
  if (layers.numbers) drawNumbers(context, points, colors, stroke);
}

function drawLine(context, points, closed, color, rim, stroke) {
  const path = new Path2D();
  for (const [x, y] of points) path.lineTo(x, y);
  if (closed) path.closePath();
  // A dark rim first: bright lines on bright skin.
  for (const [paint, width] of [[rim, 1.7 * stroke], [color, stroke]]) {
    context.strokeStyle = css(paint);
    context.lineWidth = width;
    context.stroke(path);
  }
}

// Landmarks that are more probably hidden than seen are hollow.
function drawDot(context, [x, y], color, rim, stroke, hollow) {
  const rings = [[rim, 1.9 * stroke], [color, 1.5 * stroke]];
  if (hollow) rings.push([rim, 0.9 * stroke]);
  for (const [paint, radius] of rings) {
    context.fillStyle = css(paint);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }
}

function drawNumbers(context, points, colors, stroke) {
  context.font = `${5.5 * stroke}px sans-serif`;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.lineWidth = 1.2 * stroke;
  context.strokeStyle = css(colors.rim);
  context.fillStyle = css(colors.box);
  points.forEach(([x, y], i) => {
    context.strokeText(i, x + 1.5 * stroke, y - 1.5 * stroke);
    context.fillText(i, x + 1.5 * stroke, y - 1.5 * stroke);
  });
}

// The face's number in the table, above its box.
function drawBadge(context, { box: [x0, y0, x1] }, number, size) {
  const x = (x0 + x1) / 2;
  const y = Math.max(y0 - 0.9 * size, 0.6 * size);
  context.fillStyle = "rgb(20 24 32 / 75%)";
  context.beginPath();
  context.arc(x, y, 0.6 * size, 0, 2 * Math.PI);
  context.fill();
  context.font = `600 ${0.75 * size}px sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = "white";
  context.fillText(number, x, y + 0.04 * size);
}

function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}
