"""Shards of rendered faces: `shard-*/labels.npz` beside numbered JPEG crops."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np

from keras_lotr.conversions import common_landmarks
from keras_lotr.datasets.gaps import labelled_samples
from keras_lotr.datasets.samples import existing, label_key
from keras_lotr.images.names import shortened
from keras_lotr.inference.pose import ANGLES


def read(folder, split="train", scheme="ibug68"):
    """Faces of the shards, tagged "pose" if turned by more than 40 degrees.

    Every twentieth shard is `val`, the others are `train`.
    """
    key = label_key(scheme)
    faces = []
    for shard in _shards(folder, split):
        points, indices, turned, seen = _labels_of(existing(shard / "labels.npz"), key, scheme)
        for index, landmarks, of_pose, of_face in zip(indices, points, turned, seen, strict=True):
            tags = ("pose",) if of_pose else ()
            image = shard / f"{index:08d}.jpg"
            face = {"path": image, "points_image": landmarks, "scheme": scheme, "tags": tags}
            faces.append({**face, "visibility": of_face})
    return labelled_samples(faces, folder)


def _labels_of(path, key, scheme):
    """Landmarks (F, N, 2), numbers of the images, whether a face is turned, and what is seen."""
    with _arrays(path, f"{key} and index") as labels:
        points, indices = labels[key], labels["index"]
        turned = np.abs(labels["yaw"]) > 40 if "yaw" in labels else np.zeros(len(points), bool)
        seen = _visibility(labels, scheme)
    if not (len(points) == len(indices) == len(turned) == len(seen) and indices.dtype.kind in "iu"):
        raise ValueError(
            f"Expected as many whole numbers in index as faces in {key} of {path}. Received: "
            f"{indices.dtype}, shapes {indices.shape} and {points.shape}"
        )
    return points, indices, turned, seen


def angles(folder, split="val"):
    """{path of an image: (3,) yaw, pitch and roll of its face, degrees}, see `inference.pose`.

    Raises:
        FileNotFoundError, ValueError: a shard does not say them.
    """
    found = {}
    for shard in _shards(folder, split):
        path = existing(shard / "labels.npz")
        with _arrays(path, f"index, {', '.join(ANGLES)}") as labels:
            of_faces = np.stack([labels[name] for name in ANGLES], -1)
            paths = [str(shard / f"{index:08d}.jpg") for index in labels["index"]]
            found |= zip(paths, of_faces, strict=True)
    return found


@contextmanager
def _arrays(path, expected):
    """The arrays of a file; what is wrong with them is an error that names the file."""
    try:
        with path.open("rb") as file, np.load(file) as labels:
            yield labels
    except Exception as error:  # NumPy and zipfile have many for a file that is damaged
        raise ValueError(
            f"Expected arrays {expected} in {path}. Received: {shortened(str(error))}"
        ) from None


def _shards(folder, split):
    """The folders of a split, in their order; every twentieth is for validation."""
    shards = sorted(Path(folder).glob("shard-[0-9][0-9][0-9][0-9][0-9]"))
    if not shards:
        raise ValueError(
            f"Expected folders shard-00000 and so on, of faces, in {folder}. There is none."
        )
    for shard in shards:
        if ("val" if int(shard.name.split("-")[1]) % 20 == 19 else "train") == split:
            yield shard


def _visibility(labels, scheme):
    """Which landmarks are seen, (F, N): 1, 0, or NaN for those that are none of the 98."""
    if "visibility98" not in labels:
        return [None] * len(labels["index"])
    numbers = common_landmarks("wflw98", scheme)
    return np.where(numbers < 0, np.nan, labels["visibility98"].astype(np.float32)[:, numbers])


def is_here(folder):
    """Whether the folder holds rendered shards."""
    return any(Path(folder).glob("shard-*/labels.npz"))
