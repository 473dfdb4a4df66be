"""68 points for faces that nobody drew them on: a kit folder for `keras-lotr train --data`.

    python tools/pseudo_labels.py FACES --preset lotr_m_68 \\
        --preset runs/x/preset --out pseudo

For the training faces of a kit that have 98 points but no 68. Each gets the middle of two guesses
whose errors have different causes: its 98 points read as 68, and the mean of what the presets find,
flip averaged. How differently the two schemes place a landmark is learned first, as an offset of
each landmark along the face, from those that have both. Faces on which the two guesses differ by
more than `--most` are left out.
"""

from pathlib import Path

import click
import keras
import numpy as np

from keras_lotr import FaceLandmarker, geometry
from keras_lotr.conversions import convert
from keras_lotr.datasets.samples import read_json
from keras_lotr.metrics import normalized_mean_error
from keras_lotr.presets.preset import write_json
from keras_lotr.schemes import get_scheme


@click.command()
@click.argument("faces", type=Path)
@click.option("--preset", "presets", multiple=True, required=True, help="Of 68 points.")
@click.option("--most", default=8.0, help="NME % between the two guesses.", show_default=True)
@click.option("--out", type=Path, required=True)
def main(faces, presets, most, out):
    entries = read_json(faces / "labels.json")
    usable = [e for e in entries if e["split"] == "train" and "points98" in e]
    both = [e for e in usable if "points68" in e]
    bare = [e for e in usable if "points68" not in e]
    offsets = definition_offsets(both)
    from_98 = np.stack([shifted(as_68(e), offsets) for e in bare])
    found = points_found(presets, [faces / "images" / e["image"] for e in bare], from_98)
    apart = keras.ops.convert_to_numpy(normalized_mean_error(from_98, found, "ibug68"))
    kept = np.flatnonzero(apart <= most)
    print(f"{len(kept)} of {len(bare)} faces; the two guesses differ by {apart.mean():.2f} %")
    out.mkdir(parents=True)
    (out / "images").symlink_to((faces / "images").absolute())
    points = (from_98 + found) / 2
    write_json(out / "labels.json", [
        {"image": bare[i]["image"], "set": bare[i]["set"], "split": "train",
         "points68": np.round(points[i], 2).tolist()}
        for i in kept
    ])  # fmt: skip


def as_68(entry):
    return convert(np.array(entry["points98"], np.float32), "wflw98", "ibug68")


def eye_axes(points):
    """Columns: from outer eye corner to outer eye corner, and at a right angle to it."""
    left, right = points[list(get_scheme("ibug68").outer_eyes)]
    x = right - left
    return np.stack([x, [-x[1], x[0]]], -1)


def definition_offsets(entries):
    """(68, 2): where people draw a landmark minus where the 98 points have it, in eye distances."""
    differences = []
    for entry in entries:
        points = as_68(entry)
        difference = np.array(entry["points68"]) - points
        differences.append(difference @ np.linalg.inv(eye_axes(points)).T)
    return np.median(differences, axis=0)


def shifted(points, offsets):
    return points + offsets @ eye_axes(points).T


def points_found(presets, pictures, points):
    """Mean of what the presets find in the boxes around F faces' points, (F, 68, 2)."""
    boxes = geometry.box_of(points)[:, None]
    found = [FaceLandmarker.from_preset(preset, flip=True)(pictures, boxes) for preset in presets]
    return np.mean([[face.points for (face,) in photos] for photos in found], axis=0)


if __name__ == "__main__":
    main()
