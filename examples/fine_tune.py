"""Teach a 68-point preset 21 points of one's own, in a few minutes on a laptop.

    python examples/fine_tune.py                        rendered faces of examples/, 21 points
    python examples/fine_tune.py --csv faces.csv        your own: image,x0,y0,x1,y1,...,split

Into --out go the loss curve `loss.png`, images `before.png` and `after.png`, and the preset.
docs/fine_tuning.md tells it step by step.
"""

import argparse
import csv
import os
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.evaluation.evaluation import evaluate
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.training import build, train

RENDERED = Path(__file__).parent / "rendered_faces"

# Brows, eyes with pupils, nose, mouth, chin and the ends of the contour, of WFLW's 98 points: much
# as in AFLW's 21.
CHOSEN = (33, 35, 37, 42, 44, 46, 60, 96, 64, 68, 97, 72, 55, 54, 59, 76, 90, 82, 0, 16, 32)


def write_csv(path):
    """The CSV file of a user who has labelled 21 points on the rendered faces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        columns = [f"{axis}{i}" for i in range(len(CHOSEN)) for axis in "xy"]
        writer.writerow(["image", *columns, "split"])
        for split in ("train", "val"):
            for sample in read_samples(RENDERED, split, "wflw98"):
                image = os.path.relpath(sample.path, path.parent)
                writer.writerow([image, *sample.points_image[list(CHOSEN)].ravel(), split])
    return path


def fine_tune(data, out, preset="lotr_m_68", epochs=20, batch_size=8):
    """Train a preset on the points of a CSV file, and show what has changed.

    Returns:
        NME in per cent (by the box around the points) on the val faces, before and after.
    """
    data, out = Path(data), Path(out)
    samples = read_samples(data, "train")
    recipe = Recipe(
        scheme=samples[0].scheme,  # plain21: nothing is known of the points but their number
        learning_rate=5e-4,
        warmup_steps=10,
        epochs=epochs,
        batch_size=batch_size,
        ema=0.95,  # short trainings need a short memory
        notes=f"examples/fine_tune.py: {preset} on {data.name}",
    )
    # What training starts from: everything of the preset, each point as the nearest of its points.
    build(recipe, [samples], init=preset).save_to_preset(out / "before")
    after = train(recipe, [data], out / "run", init=preset)
    draw_loss(out / "run" / "history.csv", out / "loss.png")
    nme = []
    for name, folder in (("before", out / "before"), ("after", after)):
        draw_faces(folder, data, out / f"{name}.png")
        nme.append(evaluate(folder, data, "val")[0]["nme"])
    return nme


def draw_loss(history, path):
    """Training loss and NME on the val faces, epoch by epoch."""
    with open(history, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    epochs = [int(row["epoch"]) for row in rows]
    axis.plot(epochs, [float(row["loss"]) for row in rows], label="smooth-Wing loss")
    axis.set(xlabel="epoch", ylabel="loss on augmented training faces")
    right = axis.twinx()
    right.plot(epochs, [float(row["val_nme"]) for row in rows], "r", label="NME on val")
    right.set_ylabel("NME on val, % (by the box)")
    figure.legend(loc="upper right", bbox_to_anchor=(0.85, 0.93))
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_faces(preset, data, path, columns=4):
    """The first val faces with true (white) and found (red) points."""
    from keras_lotr import LOTR

    model = LOTR.from_preset(preset)
    preprocessor = model.preprocessor
    samples = read_samples(data, "val", preprocessor.scheme)[: 2 * columns]
    crops, truth = load_crops(samples, preprocessor.image_size, preprocessor.margin)
    found = model.predict_points(crops)
    figure, axes = plt.subplots(2, columns, figsize=(2 * columns, 4.1), layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, crop, white, red in zip(axes.flat, crops, truth, found, strict=False):
        axis.imshow(crop)
        axis.plot(*white.T, ".", color="white", markersize=4)
        axis.plot(*red.T, ".", color="#ff3b30", markersize=4)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="your points [21 points of the rendered faces]")
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tune"))
    parser.add_argument("--preset", default="lotr_m_68")
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    data = arguments.csv or write_csv(arguments.out / "faces.csv")
    before, after = fine_tune(data, arguments.out, arguments.preset, arguments.epochs)
    print(f"NME on the val faces: {before:.2f} % before, {after:.2f} % after.")


if __name__ == "__main__":
    main()
