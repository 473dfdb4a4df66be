"""Draw the images of the documentation: `python tools/make_figures.py`. Needs matplotlib."""

import csv
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from keras_lotr.conversions import convert
from keras_lotr.evaluation.evaluation import measure
from keras_lotr.evaluation.figures import draw_losses, draw_samples
from keras_lotr.presets.preset import resolve
from keras_lotr.publishing.card_pictures import draw_examples
from keras_lotr.schemes import get_scheme

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
EXAMPLES = Path(__file__).parent.parent / "examples"
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
        "ibug68": mean_face("lotr_m_300w"),
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
    with open(resolve(preset).path("history.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) for row in rows]
    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axis.plot(
        epochs, [float(row["val_nme"]) for row in rows], color="#c44e52", label="NME on val, %"
    )
    axis.set(
        xlabel="epoch", ylabel="NME on val, % (no flip averaging)", title=f"{preset}: training"
    )
    axis.grid(alpha=0.3)
    second = axis.twinx()
    second.plot(
        epochs, [float(row["loss"]) for row in rows], color="#4c72b0", alpha=0.6, label="loss"
    )
    second.set_ylabel("smooth-Wing loss on augmented training faces")
    figure.legend(loc="upper right", bbox_to_anchor=(0.9, 0.9))
    figure.savefig(FIGURES / f"history_{preset}.png", dpi=80)


def draw_demo():
    """The screenshot that `pytest tests/browser` leaves, if it has run."""
    screenshot = EXAMPLES.parent / "build" / "screenshots" / "image.png"
    if screenshot.exists():
        cv2.imwrite(str(FIGURES / "demo.jpg"), cv2.imread(str(screenshot)))


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    draw_schemes()
    draw_group()
    draw_predictions("lotr_m_300w")
    draw_history("lotr_m_300w")
    draw_demo()
    draw_losses(FIGURES / "losses.png")
    rendered = measure("lotr_m_300w", EXAMPLES / "rendered_faces", "train", flip=True)
    draw_samples(rendered, FIGURES / "samples.jpg")
