"""JD-landmark (Grand Challenge of 106-p Facial Landmark Localization, ICME 2019), and LaPa.

    Training_data/<AFW|HELEN|IBUG|LFPW>/{picture,landmark}    AFW_134212_1_0.jpg + .jpg.txt
    Test_data/{picture,landmark,rect}                         the same, and .jpg.rect
    LaPa/<train|val|test>/{images,labels,landmarks}           X.jpg + X.txt

A landmark file is the line `106` and 106 lines `x y`; the top left pixel is (0, 0) (submission
guidelines of the third challenge, fllc3-icme2021.github.io/evaluation.html; folders as in public
code that reads the set, none of it official; LaPa as in MMPose's lapa2coco.py).

Any pair of folders `picture` or `images` and `landmark` or `landmarks` is read. Names on the way
to it tell the split and the tags (AFW, HELEN, ...). The box of a face is that of its landmarks, as
the challenge's error is defined; `rect` is not used. Images without landmarks are left out.
"""

import os
from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import labelled_samples, without_missing
from keras_lotr.datasets.samples import (
    of_split,
    read_text,
    tags_of,
)
from keras_lotr.datasets.stems import images_by_stem, only_image
from keras_lotr.images.names import natural_key

_IMAGE_FOLDERS = ("picture", "pictures", "image", "images")
_LABEL_FOLDERS = ("landmark", "landmarks")


def read(folder, split="train", scheme="jd106"):
    """Faces of JD-landmark or LaPa, tagged with the folders that they lie in.

    Args:
        folder: any folder around the pairs of folders.
        split: "train", "val" or "test".
        scheme: "jd106", "insightface106" (the same points in InsightFace's order), or "wflw98" or
            "ibug68" for the points of the same name.
    """
    folder = Path(folder)
    pairs = {labels.parent: (images, labels) for images, labels in _pairs(folder)}
    if not pairs:
        raise ValueError(
            "Expected pairs of folders, picture and landmark or images and landmarks, in or under "
            f"{folder}. There is none."
        )
    faces = []
    for place in sorted(of_split(pairs, folder, split), key=natural_key):
        tags = tags_of(place, folder)
        for image, labels in _read_pair(*pairs[place]):
            faces.append(
                {"path": image, "points_image": _read_points(labels), "scheme": "jd106",
                 "tags": tags, "origin": str(labels)}
            )  # fmt: skip
    return labelled_samples(faces, folder, scheme)


def is_here(folder):
    """Whether folders with images and their 106 landmarks are in or under the folder."""
    return any(any(labels.glob("*.txt")) for _, labels in _pairs(folder))


def _pairs(folder):
    """All pairs of an image folder and its landmark folder."""
    for root, names, _ in os.walk(folder, followlinks=True):
        kinds = {name.lower(): Path(root, name) for name in names}
        images = [kinds[name] for name in _IMAGE_FOLDERS if name in kinds]
        labels = [kinds[name] for name in _LABEL_FOLDERS if name in kinds]
        if images and labels:
            yield images[0], labels[0]


def _read_pair(images, labels):
    """(image, landmark file) of every landmark file; X.jpg.txt and X.txt both belong to X.jpg."""
    of_stem = images_by_stem(os.listdir(images))
    of_name = {name: [name] for names in of_stem.values() for name in names}
    # Files whose name starts with a dot are what macOS adds to archives.
    files = [path for path in labels.glob("*.txt") if not path.name.startswith(".")]
    for path in sorted(files, key=natural_key):
        found = of_name.get(path.stem) or of_stem.get(path.stem) or [path.stem]
        yield images / only_image(found, path), path


def _read_points(path):
    numbers = read_text(path).split()
    try:
        if numbers[:1] == ["106"] and len(numbers) == 1 + 2 * 106:
            return without_missing(np.array(numbers[1:], np.float64).reshape(-1, 2))
    except ValueError:
        pass
    raise ValueError(
        f"Expected the line 106 and 106 lines 'x y' in {path}. "
        f"Received: {len(numbers)} fields that start with {numbers[:3]}"
    )
