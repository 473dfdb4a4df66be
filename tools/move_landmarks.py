"""Moves the landmarks of rendered faces to where people put them.

The renderer's landmarks are fixed places of a mesh, and people place some of them elsewhere: at
another part of the brow's edge, further in on the jaw. The mean difference is a constant for each
landmark, two numbers in the plane of the face. It is fitted once on annotated photos:

    python tools/move_landmarks.py fit lotr_m_synthetic_98 --data FOLDER --output offsets.json

and added to the labels of rendered shards, of which a copy with moved labels is written:

    python tools/move_landmarks.py apply offsets.json SHARDS MOVED
"""

import json
import shutil
from pathlib import Path

import click
import numpy as np

from keras_lotr.conversions import convert
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.inference.pose import ANGLES
from keras_lotr.lotr import LOTR
from keras_lotr.schemes import get_scheme

SCHEME = "wflw98"
# Outer corners of the eyes and the chin; from between the eyes to the chin it is so many times the
# distance of the eyes, in the mean of rendered frontal faces.
LEFT_EYE, RIGHT_EYE, CHIN, EYES_TO_CHIN = 60, 72, 16, 1.29


def face_frame(points):
    """Matrices (F, 2, 2) from image to the upright face, in distances of the eyes."""
    across = points[:, RIGHT_EYE] - points[:, LEFT_EYE]
    length = np.linalg.norm(across, axis=-1)[:, None]
    x, y = (across / length).T
    turned_back = np.stack([np.stack([x, y], -1), np.stack([-y, x], -1)], 1)
    return turned_back / length[..., None]


def mean_offsets(truth, predicted):
    """Mean difference of each landmark (N, 2), in distances of the eyes, the same on both sides.

    Args:
        truth, predicted: (F, N, 2), the same faces' landmarks by people and by a model that was
            trained on rendered faces.
    """
    offsets = np.einsum("fij,fnj->fni", face_frame(truth), truth - predicted).mean(0)
    mirrored = offsets[list(get_scheme(SCHEME).flip_order)] * [-1, 1]
    return (offsets + mirrored) / 2


def moved(points, yaw, pitch, roll, offsets):
    """Landmarks (F, N, 2) with offsets that turn with the head; angles (F,) in degrees."""
    eyes = (points[:, LEFT_EYE] + points[:, RIGHT_EYE]) / 2
    unit = np.linalg.norm(points[:, CHIN] - eyes, axis=-1) / EYES_TO_CHIN
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    # Foreshortened by yaw and pitch, then turned in the image: y goes down, roll counter-clockwise.
    flat = offsets * np.stack([np.cos(yaw), np.cos(pitch)], -1)[:, None]
    turn = np.stack(
        [
            np.stack([np.cos(roll), np.sin(roll)], -1),
            np.stack([-np.sin(roll), np.cos(roll)], -1),
        ],
        1,
    )
    return points + unit[:, None, None] * np.einsum("fij,fnj->fni", turn, flat)


@click.group(help=__doc__)
def main():
    pass


@main.command()
@click.argument("preset")
@click.option("--data", required=True, help="Annotated photos; their split train is used.")
@click.option("--only", multiple=True, help="Sets of the photos; repeat for more.")
@click.option("--output", type=Path, required=True, help="JSON file.")
def fit(preset, data, only, output):
    """Fit the offsets between PRESET, trained on rendered faces, and people's landmarks."""
    samples = read_samples(data, "train", SCHEME, only=only)
    model = LOTR.from_preset(preset)
    crops, truth = load_crops(samples, model.image_size, model.preprocessor.margin)
    offsets = mean_offsets(truth, model.predict_points(crops, flip=True))
    facts = {"preset": preset, "faces": len(samples), "unit": "distances of the outer eye corners"}
    rows = [[round(float(v), 4) for v in row] for row in offsets]
    output.write_text(json.dumps({**facts, "offsets": rows}) + "\n", encoding="utf-8")
    click.echo(f"{len(samples)} faces, mean offset {np.linalg.norm(offsets, axis=-1).mean():.4f}")


@main.command()
@click.argument("offsets", type=Path)
@click.argument("shards", type=Path)
@click.argument("output", type=Path)
def apply(offsets, shards, output):
    """Copy rendered SHARDS to OUTPUT with moved landmarks."""
    table = np.array(json.loads(offsets.read_text(encoding="utf-8"))["offsets"])

    def move(labels):
        angles = (labels[name].astype(float) for name in ANGLES)
        return moved(labels["points98"].astype(float), *angles, table)

    for shard in sorted(shards.glob("shard-*")):
        with np.load(shard / "labels.npz") as labels:
            missing = [name for name in ANGLES if name not in labels]
        if missing:
            raise click.ClickException(f"Expected {', '.join(missing)} in the labels of {shard}.")
    write_moved(shards, output, move)


def write_moved(shards, output, move):
    """Copy rendered shards with other landmarks.

    Args:
        shards, output: folders.
        move: function, the labels of a shard -> its landmarks (F, 98, 2).
    """
    for shard in sorted(shards.glob("shard-*")):
        shutil.copytree(shard, output / shard.name)
        with np.load(shard / "labels.npz") as file:
            labels = dict(file)
        points = move(labels)
        labels["points98"] = points.astype(np.float32)
        # The 68 landmarks are the same places, as far as the 98 have them.
        if "points68" in labels:
            labels["points68"] = convert(labels["points98"], SCHEME, "ibug68")
        np.savez_compressed(output / shard.name / "labels.npz", **labels)
        click.echo(f"{shard.name}: {len(points)} faces")


if __name__ == "__main__":
    main()
