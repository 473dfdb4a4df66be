"""Trees of `.pts` files beside their images: 300-W (AFW, HELEN, LFPW, iBUG, 300W), Menpo, your own.

    version: 1
    n_points: 68
    {
    446.000000 91.000000
    ...
    }

**Coordinates are 1-based**, so 1 is subtracted: "saved in the matlab convention of 1 being the
first index, i.e. the coordinates of the top left pixel in an image are x=1, y=1" (300-W's page,
ibug.doc.ic.ac.uk/resources/300-W; Menpo's PTS importer does the same, menpo/menpo issue 160).
The line "-1 -1" means that the landmark has no label.

Names of folders tell the split: `trainset`, `testset`, `train`, ... AFW, iBUG and 300W come without
such a folder; beside sets that have one they are what the 300-W protocol makes of them, AFW
training and the others test. A tree without any is one set, used for whichever split is asked.
"""

import os
import re
from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import labelled_samples, without_missing
from keras_lotr.datasets.samples import (
    of_split,
    read_text,
    scheme_of,
    split_of,
    tags_of,
)
from keras_lotr.datasets.stems import images_by_stem, only_image
from keras_lotr.images.names import natural_key

_PROTOCOL_300W = {"afw": "train", "ibug": "test", "300w": "test"}


def read(folder, split="train", scheme=None):
    """Faces of the tree, tagged with the name of their data set, the folders that they lie in.

    Args:
        folder: the tree.
        split: "train", "val" or "test".
        scheme: None: "ibug68" for 68 landmarks, plainN for any other number.
    """
    folder = Path(folder)
    files = {Path(root): names for root, names in _walk(folder)}
    if not files:
        raise ValueError(f"Expected .pts files in or under the folder {folder}. There is none.")
    faces = []
    for place in sorted(of_split(files, folder, split, _PROTOCOL_300W), key=natural_key):
        tags = tags_of(place, folder) or (_set_name(folder),)
        images = images_by_stem(files[place])
        for name in sorted(filter(_is_label, files[place]), key=natural_key):
            labels = place / name
            points = _read_points(labels)
            image = place / only_image(_images(images, Path(name).stem), labels)
            faces.append(
                {"path": image, "points_image": points, "scheme": scheme_of(len(points), scheme),
                 "tags": tags, "origin": str(labels)}
            )  # fmt: skip
    return labelled_samples(faces, folder, scheme)


def is_here(folder):
    """Whether there is a `.pts` file in or under the folder."""
    return any(True for _ in _walk(folder))


def _walk(folder):
    """(folder, names of its files) of the folders that have labels."""
    for root, _, names in os.walk(folder, followlinks=True):
        if any(map(_is_label, names)):
            yield root, names


def _is_label(name):
    """Whether it is a label: no mirrored copy, and no addition of macOS to archives (`._x.pts`)."""
    return name.lower().endswith(".pts") and not (name[0] == "." or "_mirror." in name)


def _images(images, stem):
    """The images of labels: of the same name, or, of several faces in it, without their number."""
    whole = re.sub(r"_+\d+$", "", stem)
    return images.get(stem) or images.get(whole) or [f"{stem}.jpg"]


def _set_name(folder):
    """The name of the folder, or of what is around it if that tells a split: helen/trainset."""
    return next(name for name in reversed(folder.absolute().parts) if split_of(name) is None)


def _read_points(path):
    """The landmarks of a file, 0-based, NaN without label."""
    head, _, body = read_text(path).partition("{")
    numbers = body.partition("}")[0].split()
    num_points = head.partition("n_points:")[2].split()[:1]
    try:
        if numbers and [str(len(numbers) // 2)] == num_points:
            return without_missing(np.array(numbers, np.float64).reshape(-1, 2)) - 1
    except ValueError:
        pass
    raise ValueError(
        f"Expected 'n_points: N' and N lines 'x y' between braces in {path}. "
        f"Received: n_points {num_points}, {len(numbers)} fields between the braces"
    )
