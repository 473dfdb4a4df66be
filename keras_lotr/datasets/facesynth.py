"""Shards of rendered faces: `shard-*/labels.npz` beside numbered JPEG crops."""

from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import labelled_samples
from keras_lotr.datasets.samples import existing, label_key
from keras_lotr.images.names import shortened


def read(folder, split="train", scheme="ibug68"):
    """Faces of the shards, tagged "pose" if turned by more than 40 degrees.

    Every twentieth shard is `val`, the others are `train`.
    """
    key = label_key(scheme)
    faces = []
    for shard in sorted(Path(folder).glob("shard-[0-9][0-9][0-9][0-9][0-9]")):
        number = int(shard.name.split("-")[1])
        if ("val" if number % 20 == 19 else "train") != split:
            continue
        points, indices, turned = _labels_of(existing(shard / "labels.npz"), key)
        for index, landmarks, of_pose in zip(indices, points, turned, strict=True):
            tags = ("pose",) if of_pose else ()
            image = shard / f"{index:08d}.jpg"
            faces.append({"path": image, "points_image": landmarks, "scheme": scheme, "tags": tags})
    return labelled_samples(faces, folder)


def _labels_of(path, key):
    """Landmarks (F, N, 2), numbers of the images (F,) and whether a face is turned (F,)."""
    try:
        with np.load(path) as labels:
            points, indices = labels[key], labels["index"]
            turned = np.abs(labels["yaw"]) > 40 if "yaw" in labels else np.zeros(len(points), bool)
    except Exception as error:  # NumPy and zipfile have many for a file that is damaged
        raise ValueError(
            f"Expected arrays {key} and index in {path}. Received: {shortened(str(error))}"
        ) from None
    if not (len(points) == len(indices) == len(turned) and indices.dtype.kind in "iu"):
        raise ValueError(
            f"Expected as many whole numbers in index as faces in {key} of {path}. Received: "
            f"{indices.dtype}, shapes {indices.shape} and {points.shape}"
        )
    return points, indices, turned


def is_here(folder):
    """Whether the folder holds rendered shards."""
    return any(Path(folder).glob("shard-*/labels.npz"))
