"""Readers of face-landmark data sets: `read_samples(folder)` gives a list of `Sample`."""

import os
from pathlib import Path

from keras_lotr.datasets import coco, facesynth, ibug, jd106, kit, points_csv, wflw
from keras_lotr.datasets.samples import NoFaces, Sample, name_some

__all__ = ["READERS", "NoFaces", "Sample", "read_samples"]

# In the order in which a folder is recognised.
READERS = {
    "kit": kit,
    "facesynth": facesynth,
    "wflw": wflw,
    "jd106": jd106,
    "coco": coco,
    "csv": points_csv,
    "ibug": ibug,
}

_SPLITS = ("train", "val", "test")


def read_samples(folder, split="train", scheme=None, reader=None):
    """Read one split of a data set.

    Args:
        folder: the data set as its authors hand it out, or a kit folder, or a COCO or CSV file.
        split: "train", "val" or "test".
        scheme: wanted landmark scheme, for data sets that carry several; None: the reader's own.
        reader: a name of `READERS`; None recognises the folder by its files.

    Returns:
        Non-empty list of `Sample`, all of one scheme.

    Raises:
        FileNotFoundError: no such folder, or files of the data set are missing.
        ValueError: unknown reader, folder of no known kind.
        NoFaces: no face in this split; a ValueError.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"Expected a data set folder. There is no {folder}.")
    if split not in _SPLITS:
        raise ValueError(f"Expected a split, one of {list(_SPLITS)}. Received: {split!r}")
    if reader is None:
        reader = next((name for name, module in READERS.items() if module.is_here(folder)), None)
        if reader is None:
            raise ValueError(
                f"{folder} is no data set of a known kind. Say which with a reader, one of "
                f"{list(READERS)}."
            )
    if reader not in READERS:
        raise ValueError(f"Expected a reader, one of {list(READERS)}. Received: {reader!r}")
    options = {} if scheme is None else {"scheme": scheme}
    samples = READERS[reader].read(folder, split, **options)
    if not samples:
        landmarks = "" if scheme is None else f" with {scheme} landmarks"
        raise NoFaces(f"No face of split {split!r}{landmarks} in {folder} (reader {reader!r}).")
    _check(samples, folder)
    return samples


def _check(samples, folder):
    """All of one scheme, all images there."""
    of_scheme = {sample.scheme: sample.path for sample in samples}
    if len(of_scheme) > 1:
        received = ", ".join(f"{name} in {path}" for name, path in of_scheme.items())
        raise ValueError(f"Expected faces of one landmark scheme in {folder}. Received: {received}")
    paths = dict.fromkeys(sample.path for sample in samples)
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {len(missing)} of its image files: {name_some(missing)}."
        )
