"""Labels of the other landmark scheme, for training faces of kits that have those of one only.

    python tools/cross_labels.py crossed --faces FACES --faces HARD \\
        --preset lotr_m_68 --preset lotr_m_98

What the preset of a face's own scheme gets wrong there, the preset of the other scheme gets wrong
in about the same way: the difference between the labels and what the one finds is added to what
the other finds. A landmark between two with a difference takes their mean; one without stays where
it was found and is doubted more. The kit is for training only.
"""

import os
from pathlib import Path

import click
import numpy as np
from teacher_labels import box_of_entry, taught_points

from keras_lotr import LOTR
from keras_lotr.conversions import common_landmarks
from keras_lotr.datasets.gaps import numbers_of_json, points_of_json
from keras_lotr.datasets.samples import label_key, read_json
from keras_lotr.presets.preset import write_json
from keras_lotr.schemes import get_scheme

# How far a landmark may be from the truth, in face sizes: with a difference, and without.
CORRECTED, FOUND = 0.01, 0.03


@click.command()
@click.argument("out", type=Path)
@click.option("--faces", "kits", multiple=True, required=True, type=Path, help="A kit's folder.")
@click.option("--preset", "presets", multiple=True, required=True, help="One of each scheme.")
def main(out, kits, presets):
    if len(presets) != 2:
        raise click.UsageError("Expected --preset twice, one of each of two schemes.")
    entries = [
        {**entry, "path": kit / "images" / entry["image"]}
        for kit in kits
        for entry in read_json(kit / "labels.json")
        if entry["split"] == "train"
    ]
    (out / "images").mkdir(parents=True)
    labels = [*crossed(entries, *presets), *crossed(entries, *presets[::-1])]
    for entry in labels:
        path = entry.pop("path")
        os.symlink(path.absolute(), out / "images" / path.name)
    write_json(out / "labels.json", labels)
    print(f"{len(labels)} faces with labels of {' or '.join(presets)} in {out}")


def crossed(entries, own, other):
    """Entries with labels of the scheme of the preset `other`, of those with `own`'s only."""
    schemes = [LOTR.from_preset(preset).preprocessor.scheme for preset in (own, other)]
    key, other_key = map(label_key, schemes)
    entries = [entry for entry in entries if entry.get(key) and not entry.get(other_key)]
    images = [entry["path"] for entry in entries]
    boxes = [box_of_entry(entry) for entry in entries]
    numbers = neighbours(*schemes)
    found = zip(taught_points(own, images, boxes), taught_points(other, images, boxes), strict=True)
    labels = []
    for entry, (found_own, found_other) in zip(entries, found, strict=True):
        error = points_of_json(entry[key], entry["image"]) - found_own
        doubt = numbers_of_json(entry.get(key.replace("points", "doubt")), entry["image"])
        doubt = np.zeros(len(error)) if doubt is None else doubt
        points, doubt = corrected(found_other, error, doubt, numbers)
        labels.append(
            {
                "image": entry["image"],
                "path": entry["path"],
                "set": entry["set"],
                "split": "train",
                other_key: points.round(2).tolist(),
                other_key.replace("points", "doubt"): doubt.round(4).tolist(),
            }
        )
    return labels


def neighbours(source, target):
    """Two landmarks of `source` for each of `target`, (M, 2) ints, -1 where there is none.

    They are twice the same landmark where `source` has it, and the next ones on both sides of the
    line where it has these.
    """
    common = common_landmarks(source, target)
    both = np.stack([common, common], 1)
    for contour in get_scheme(target).contours:
        line = np.array(contour.indices)
        ends = np.stack([np.roll(line, 1), np.roll(line, -1)], 1)
        inner = slice(None) if contour.closed else slice(1, -1)
        for landmark, pair in zip(line[inner], common[ends[inner]], strict=True):
            if common[landmark] < 0 and (pair >= 0).all():
                both[landmark] = pair
    return both


def corrected(found, error, doubt, numbers):
    """Found landmarks moved by the error of their neighbours, and how far they may be wrong.

    Args:
        found: (M, 2).
        error: (N, 2) of the other scheme's landmarks, NaN for those without label.
        doubt: (N,) of their labels, in face sizes.
        numbers: (M, 2), see `neighbours`.

    Returns:
        (M, 2) landmarks, (M,) doubts in face sizes.
    """
    error = np.where((numbers < 0)[..., None], np.nan, error[numbers]).mean(1)
    doubt = np.hypot(CORRECTED, doubt[numbers].mean(1))
    unknown = np.isnan(error).any(-1)
    return found + np.where(unknown[:, None], 0, error), np.where(unknown, FOUND, doubt)


if __name__ == "__main__":
    main()
