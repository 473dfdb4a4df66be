// What was found, as a table and as the library's JSON.

// A photo and its faces as keras_lotr's PhotoLandmarks.to_dict gives them.
export function toEntry({ source, width, height }, faces, scheme) {
  const rounded = (value) => Number(Math.fround(value).toFixed(3));
  return {
    source,
    width,
    height,
    faces: faces.map(({ trackId, degrees, points, box, score, sigma, visible, quality }) => ({
      ...(trackId === undefined ? {} : { track_id: trackId }),
      ...(degrees ? { degrees: rounded(degrees) } : {}),
      sigma: sigma.map((row) => row.map((value) => Number(value.toPrecision(4)))),
      visible: visible.map(rounded),
      quality: Number(quality.toFixed(4)),
      points: points.map((point) => point.map(rounded)),
      box: box.map(rounded),
      score: Number(score.toFixed(4)),
      scheme,
    })),
  };
}

// What a visitor calls a face: from 1 on, in the order of a photo or as the tracker knows it.
export function numberOf({ trackId }, i) {
  return (trackId ?? i) + 1;
}

export function fillTable(body, faces) {
  const rows = faces.map((face, i) => {
    const [x0, y0, x1, y1] = face.box.map(Math.round);
    const row = document.createElement("tr");
    const size = `${x1 - x0} × ${y1 - y0}`;
    const cells = [numberOf(face, i), face.score.toFixed(2), `${x0}, ${y0}`, size];
    row.append(...cells.map(cell));
    return row;
  });
  body.replaceChildren(...rows);
}

function cell(content) {
  const element = document.createElement("td");
  element.textContent = content;
  return element;
}

export function count(faces) {
  return faces.length === 1 ? "1 face" : `${faces.length} faces`;
}

// One sentence about an image.
export function summary(faces, { detector, landmarks }) {
  if (!faces.length) {
    return "No face was found. Faces should be upright and not tiny.";
  }
  const [all, first, second] = [detector + landmarks, detector, landmarks].map((s) => s.toFixed(2));
  return `${count(faces)} in ${all} s: detector ${first} s, landmarks ${second} s.`;
}

// As `keras-lotr predict` writes it: a list of photos, here of one.
export function download(entry) {
  const link = document.createElement("a");
  const file = new Blob(["[\n", JSON.stringify(entry), "\n]\n"], { type: "application/json" });
  link.href = URL.createObjectURL(file);
  link.download = `${entry.source.replace(/\.[^.]*$/, "") || "faces"}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
