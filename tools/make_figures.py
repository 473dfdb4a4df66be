"""Draw the images of the documentation: `python tools/make_figures.py`. Needs matplotlib."""

import json
import sys
from pathlib import Path

import click
import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from keras_lotr.conversions import convert
from keras_lotr.evaluation.evaluation import measure
from keras_lotr.evaluation.figures import draw_losses, draw_samples
from keras_lotr.geometry import apply
from keras_lotr.images.drawing import draw
from keras_lotr.images.reading import read_image
from keras_lotr.inference.attention import draw_attention
from keras_lotr.inference.landmarker import FaceLandmarker
from keras_lotr.inference.photo_crops import crop_faces
from keras_lotr.presets.preset import RESULTS, local_presets, resolve
from keras_lotr.publishing.card_pictures import draw_examples
from keras_lotr.schemes import get_scheme
from keras_lotr.training.run_files import HISTORY, read_history

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
EXAMPLES = Path(__file__).parent.parent / "examples"
MEASURED = Path(__file__).parents[1] / "results"
# Outer corner of an eye, nose tip, corner of the mouth, chin: landmarks of ibug68.
LOOKING = (36, 30, 54, 8)
ONE_PASS = ", one pass"
COLORS = {
    "contour": "#4c72b0",
    "brows": "#937860",
    "nose": "#55a868",
    "eyes": "#c44e52",
    "mouth": "#8172b3",
}


def mean_face(preset):
    """Mean landmarks of a preset's training faces, (N, 2) fractions of the crop."""
    return np.array(resolve(preset).json("config.json")["config"]["mean_shape"])


def draw_schemes():
    """Every landmark scheme with its numbers, on the mean face."""
    jd = mean_face("lotr_m_jd")
    faces = {
        "ibug68": mean_face("lotr_m_68"),
        "wflw98": mean_face("lotr_hr_plus_wflw"),
        "jd106": jd,
        "insightface106": convert(jd, "jd106", "insightface106"),
    }
    figure, axes = plt.subplots(2, 2, figsize=(18, 18), layout="constrained")
    for axis, (name, points) in zip(axes.flat, faces.items(), strict=True):
        scheme = get_scheme(name)
        for contour in (*scheme.contours, *scheme.points):
            line = points[list(contour.indices)]
            if contour.closed:
                line = np.vstack([line, line[:1]])
            style = "-" if contour in scheme.contours else "none"
            axis.plot(
                *line.T, linestyle=style, marker="o", ms=4, color=COLORS[contour.region], alpha=0.6
            )
        for i, (x, y) in enumerate(points):
            axis.annotate(str(i), (x, y), xytext=(3, 3), textcoords="offset points", fontsize=9)
        five = scheme.five(points)
        axis.plot(*five.T, "*", markersize=11, color="black", alpha=0.35)
        axis.set_title(
            f"{name}: {scheme.num_landmarks} landmarks, NME by {scheme.normalizer}", fontsize=14
        )
        axis.set_aspect("equal")
        axis.invert_yaxis()
        axis.axis("off")
    figure.savefig(FIGURES / "schemes.png", dpi=70)


def draw_predictions(preset):
    """The example images with the landmarks that a preset finds."""
    drawn = draw_examples(preset, EXAMPLES, 512)
    rows = [np.hstack(drawn[i : i + 3]) for i in range(0, len(drawn), 3)]
    cv2.imwrite(str(FIGURES / "predictions.jpg"), np.vstack(rows)[..., ::-1])


def draw_use(preset):
    """What the whole chain finds in two example images: detector, crops, landmarks."""
    landmarker = FaceLandmarker.from_preset(preset)
    drawn = []
    for image in (read_image(EXAMPLES / "group.jpg"), read_image(EXAMPLES / "astronaut.jpg")):
        drawn.append(draw(image, landmarker(image), boxes=True))
    drawn[1] = cv2.resize(drawn[1][:320, 64:384], (480, 480), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(FIGURES / "use.jpg"), np.hstack(drawn)[..., ::-1])


def draw_attention_maps(preset, size=300):
    """Where four landmarks look on `astronaut.jpg`: a row for each layer of the decoder."""
    landmarker = FaceLandmarker.from_preset(preset)
    image = read_image(EXAMPLES / "astronaut.jpg")
    face, *_ = landmarker(image)
    preprocessor = landmarker.preprocessor
    matrices, crops = crop_faces(image, [face], preprocessor)
    maps = landmarker.model.attention_maps(np.array(crops)).mean(2)[0]  # layers, landmarks, h, w
    crop = cv2.resize(crops[0], (size, size), interpolation=cv2.INTER_CUBIC)
    points = apply(matrices[0], face.points) * size / preprocessor.image_size
    rows = []
    for layer in maps:
        tiles = []
        for landmark in LOOKING:
            attention = cv2.resize(layer[landmark] / layer[landmark].max(), (size, size))
            tile = draw_attention(crop, attention)
            at = np.rint(points[landmark]).astype(int).tolist()
            cv2.circle(tile, at, 5, (90, 255, 160), -1, cv2.LINE_AA)
            tiles.append(tile)
        rows.append(np.hstack(tiles))
    cv2.imwrite(str(FIGURES / "attention.jpg"), np.vstack(rows)[..., ::-1])


def draw_accuracy_and_speed():
    """Error against time of the presets and of other libraries, all on the same faces."""
    tables = load_tables()
    peers = json.loads((MEASURED / "peers.json").read_text(encoding="utf-8"))
    stage = json.loads((MEASURED / "benchmarks.json").read_text(encoding="utf-8"))["stage"]
    points = []  # ms, NME in per cent, name, marker, color
    for name, folder in sorted(local_presets().items()):
        files = resolve(folder)
        results, ms = files.json(RESULTS) or {}, stage.get(f"{tables.stage_of(files)}, onnxruntime")
        if ms and results.get("data") == tables.EASY:
            filled = tables.num_landmarks(files) == 68
            color = COLORS["contour"] if filled else "white"
            passes = 1 + results["flip"]  # flip averaging runs the network twice
            points.append((passes * ms, results["nme"], name, "o", color))
    for name, row in peers["error"].items():
        if not name.endswith(" flip"):  # that is the preset above
            ours = name == peers["preset"]
            label = name + ONE_PASS if ours else name
            look = ("o", COLORS["contour"]) if ours else ("s", COLORS["eyes"])
            points.append((peers["landmarks_ms"][name], row["nme"], label, *look))
    figure, axis = plt.subplots(figsize=(9, 5), layout="constrained")
    labels_at = spread([nme for _, nme, *_ in points], [ms for ms, *_ in points], 0.17)
    for (ms, nme, name, marker, color), y in zip(points, labels_at, strict=True):
        edge = color if color != "white" else COLORS["contour"]
        axis.plot(ms, nme, marker, color=color, markeredgecolor=edge, markersize=8, zorder=3)
        hides_another = any(1 < x / ms < 1.3 and abs(other - nme) < 0.17 for x, other, *_ in points)
        side = {"ha": "right" if hides_another or name.endswith(ONE_PASS) else "left"}
        at = (ms / 1.08 if side["ha"] == "right" else ms * 1.08, y)
        axis.annotate(name, (ms, nme), xytext=at, va="center", fontsize=10, **side)
    axis.set_xscale("log")
    axis.set_xlim(1.8, 2.6 * max(ms for ms, *_ in points))
    axis.set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    axis.set_ylim(bottom=3)
    axis.set(
        xlabel="milliseconds per face, one thread (better: left)",
        ylabel="NME in per cent (better: down)",
        title=f"{peers['faces']} held-out faces of 300-W",
    )
    axis.grid(alpha=0.3, which="both")
    figure.savefig(FIGURES / "accuracy_speed.png", dpi=100)


def spread(heights, columns, gap):
    """Heights of labels: at least `gap` apart where points stand in one column."""
    at = dict(enumerate(heights))
    order = sorted(at, key=lambda i: (columns[i], at[i]))
    for before, i in zip(order, order[1:], strict=False):
        if columns[i] < 1.5 * columns[before]:
            at[i] = max(at[i], at[before] + gap) if at[i] >= at[before] - gap else at[i]
    return list(at.values())


def load_tables():
    """`tools/make_tables.py`, which knows what of the results belongs to which preset."""
    sys.path.insert(0, str(Path(__file__).parent))
    import make_tables

    return make_tables


def draw_group():
    """`examples/group.jpg`: rendered faces large and small in one image, like a video call."""
    group = np.full((480, 640, 3), 32, np.uint8)
    places = [(1, 10, 50, 360), (2, 390, 20, 150), (5, 550, 40, 80), (3, 390, 190, 110)]
    places += [(4, 520, 180, 110), (5, 400, 330, 64), (2, 490, 330, 48)]
    for number, x, y, side in places:
        face = cv2.imread(str(EXAMPLES / f"rendered{number}.jpg"))
        face = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        group[y : y + side, x : x + side] = face
    cv2.imwrite(str(EXAMPLES / "group.jpg"), group, [cv2.IMWRITE_JPEG_QUALITY, 92])


def draw_history(preset):
    """Training loss and validation NME over epochs, from a preset's history.csv."""
    rows = read_history(resolve(preset).path(HISTORY))
    epochs = [row["epoch"] for row in rows]
    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axis.plot(epochs, [row["val_nme"] for row in rows], color="#c44e52", label="NME on val, %")
    axis.set(
        xlabel="epoch", ylabel="NME on val, % (no flip averaging)", title=f"{preset}: training"
    )
    axis.grid(alpha=0.3)
    second = axis.twinx()
    second.plot(epochs, [row["loss"] for row in rows], color="#4c72b0", alpha=0.6, label="loss")
    second.set_ylabel("smooth-Wing loss on augmented training faces")
    figure.legend(loc="upper right", bbox_to_anchor=(0.9, 0.9))
    figure.savefig(FIGURES / f"history_{preset}.png", dpi=80)


def draw_demo():
    """The screenshot that `KERAS_LOTR_SCREENSHOTS=1 pytest tests/browser` leaves, if it has run."""
    screenshot = EXAMPLES.parent / "build" / "screenshots" / "image.png"
    if screenshot.exists():
        cv2.imwrite(str(FIGURES / "demo.jpg"), cv2.imread(str(screenshot)))


@click.command(help=__doc__)
def main():
    FIGURES.mkdir(exist_ok=True)
    draw_schemes()
    draw_group()
    draw_use("lotr_m_68")
    draw_predictions("lotr_m_68")
    draw_attention_maps("lotr_m_68")
    draw_accuracy_and_speed()
    draw_history("lotr_m_68")
    draw_demo()
    draw_losses(FIGURES / "losses.png")
    rendered = measure("lotr_m_68", EXAMPLES / "rendered_faces", "train", flip=True)
    draw_samples(rendered, FIGURES / "samples.jpg")


if __name__ == "__main__":
    main()
