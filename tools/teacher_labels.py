"""What trained presets find on the training faces of kits: a kit for a smaller network to learn.

    python tools/teacher_labels.py taught --faces FACES \\
        --faces HARD --preset lotr_m_68 --preset lotr_m_98

Every face gets all landmarks of every preset, whatever it was labelled with: the mean of what the
preset finds in two boxes that differ a little, flip averaged. The kit is one set, "taught", and
has no faces to validate with.
"""

import os
from pathlib import Path

import click
import numpy as np

from keras_lotr import LOTR, FaceLandmarker, geometry
from keras_lotr.datasets.samples import label_key, read_json
from keras_lotr.presets.preset import write_json

# The box, and what it is moved by, as fractions of its longer side.
SHIFTS = np.array([[0.03, 0.02], [-0.03, -0.02]], np.float32)
TOGETHER = 256  # faces in memory


@click.command()
@click.argument("out", type=Path)
@click.option("--faces", "kits", multiple=True, required=True, type=Path, help="A kit's folder.")
@click.option("--preset", "presets", multiple=True, required=True)
def main(out, kits, presets):
    entries = [
        (kit / "images" / entry["image"], box_of_entry(entry))
        for kit in kits
        for entry in read_json(kit / "labels.json")
        if entry["split"] == "train"
    ]
    (out / "images").mkdir(parents=True)
    images, boxes = zip(*entries, strict=True)
    labels = [{"image": path.name, "set": "taught", "split": "train"} for path in images]
    for preset in presets:
        key = label_key(LOTR.from_preset(preset).preprocessor.scheme)
        for label, points in zip(labels, taught_points(preset, images, boxes), strict=True):
            label[key] = points.round(2).tolist()
    for path in images:
        os.symlink(path.absolute(), out / "images" / path.name)
    write_json(out / "labels.json", labels)
    print(f"{len(labels)} faces with {', '.join(presets)} in {out}")


def box_of_entry(entry):
    """The box around the labelled points of a face, (4,)."""
    points = entry.get("points68", entry.get("points98"))
    return geometry.box_of(np.array([point for point in points if point], np.float32))


def taught_points(preset, images, boxes):
    """What a preset finds on each face, (N, 2) arrays: the mean over the moved boxes."""
    landmarker = FaceLandmarker.from_preset(preset, flip=True)
    for start in range(0, len(images), TOGETHER):
        part = slice(start, start + TOGETHER)
        moved = [moved_boxes(box) for box in boxes[part]]
        for faces in landmarker(list(images[part]), moved):
            yield np.mean([face.points for face in faces], axis=0)


def moved_boxes(box):
    side = (box[2:] - box[:2]).max()
    return box + np.tile(SHIFTS * side, 2)


if __name__ == "__main__":
    main()
