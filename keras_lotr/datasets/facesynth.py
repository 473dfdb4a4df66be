"""Shards of rendered faces: `shard-*/labels.npz` beside numbered JPEG crops."""

from pathlib import Path

import numpy as np

from keras_lotr.datasets.samples import Sample, existing, label_key


def read(folder, split="train", scheme="ibug68"):
    """Faces of the shards; every twentieth shard is `val`, the others are `train`."""
    key = label_key(scheme)
    samples = []
    for shard in sorted(Path(folder).glob("shard-[0-9][0-9][0-9][0-9][0-9]")):
        number = int(shard.name.split("-")[1])
        if ("val" if number % 20 == 19 else "train") != split:
            continue
        with np.load(existing(shard / "labels.npz")) as labels:
            points, indices = labels[key], labels["index"]
        for index, landmarks in zip(indices, points, strict=True):
            samples.append(Sample(shard / f"{index:08d}.jpg", landmarks, scheme))
    return samples


def is_here(folder):
    """Whether the folder holds rendered shards."""
    return any(Path(folder).glob("shard-*/labels.npz"))
