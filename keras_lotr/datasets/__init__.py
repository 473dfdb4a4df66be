"""Readers of face-landmark data sets: `read_samples(folder)` gives a list of `Sample`."""

import os
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

from keras_lotr.datasets import coco, csv_points, facesynth, ibug, jd106, labels_json, shards, wflw
from keras_lotr.datasets.label_check import check_inside, picture_size
from keras_lotr.datasets.samples import NoFaces, Sample, name_some
from keras_lotr.datasets.sets import given_tags
from keras_lotr.schemes import named_scheme

__all__ = ["READERS", "NoFaces", "Sample", "name_some", "read_samples"]

# In the order in which a folder is recognised.
READERS = {
    "labels_json": labels_json,
    "facesynth": facesynth,
    "wflw": wflw,
    "jd106": jd106,
    "coco": coco,
    "csv": csv_points,
    "ibug": ibug,
    "shards": shards,
}

FORMER_READERS = {"kit": "labels_json"}
_SPLITS = ("train", "val", "test")


def read_samples(folder, split="train", scheme=None, reader=None, only=()):
    """Read one split of a data set.

    Args:
        folder: the data set in its original layout, a folder with labels.json, or a COCO, CSV or
            Parquet file.
        split: "train", "val" or "test".
        scheme: landmark scheme to read, of data sets that have several. None takes the reader's
            own. Labels of another scheme are converted as far as the two have landmarks in common
            (`keras_lotr.conversions`); the others are gaps.
        reader: a name of `READERS`; None recognises the folder by its files.
        only: a tag, or any iterable of tags, such as names of sets in labels.json or subsets of
            WFLW; faces that have none of them are left out. If it is empty, all faces are read.

    Returns:
        Non-empty list of `Sample`, all of one scheme; of shards another sequence (`ShardedFaces`),
        which reads them when they are asked for.

    Raises:
        FileNotFoundError: there is no such folder, or files of the data set are missing.
        ValueError: the reader is unknown, the folder is of no known kind, or more than half of the
            landmarks of a face lie outside of its upright image, so that the labels belong to
            another image, another size of it or the image before it was turned. A few outside are
            usual where the image cuts a face.
        TypeError: a tag in `only` is no text.
        NoFaces: there is no face in this split, or none with such a tag; it is a ValueError.
    """
    folder, only = Path(folder), given_tags(only)
    if not folder.exists():
        raise FileNotFoundError(f"Expected a data set folder. There is no {folder}.")
    if split not in _SPLITS:
        raise ValueError(f"Expected a split, one of {list(_SPLITS)}. Received: {split!r}")
    if reader is None:
        reader = next((name for name, module in READERS.items() if module.is_here(folder)), None)
        if reader is None:
            raise ValueError(
                f"{folder} is no data set of a known kind. Say which with `reader`, in commands "
                f"with --data-format, one of {list(READERS)}."
            )
    reader = FORMER_READERS.get(reader, reader)
    if reader not in READERS:
        raise ValueError(f"Expected a reader, one of {list(READERS)}. Received: {reader!r}")
    scheme = scheme if scheme is None or isinstance(scheme, str) else named_scheme(scheme)
    options = {} if scheme is None else {"scheme": scheme}
    samples = READERS[reader].read(folder, split, **options)
    if not samples:
        landmarks = "" if scheme is None else f" with {scheme} landmarks"
        raise NoFaces(
            f"No face of split {split!r}{landmarks} in {folder} (reader {reader!r}).",
            hint=partial(_other_splits, reader, folder, split, options),
        )
    samples = _with_tags(samples, only, folder)
    if reader != "shards":  # they were checked when they were written
        _check(samples, folder)
    return samples


def _other_splits(reader, folder, split, options):
    """What the error of an empty split says of the others."""
    counts, read = {}, READERS[reader].read
    with warnings.catch_warnings(action="ignore"), suppress(ValueError, OSError):
        for other in _SPLITS:
            if other != split and (found := len(read(folder, other, **options))):
                counts[other] = found
    there = [f"{count} in {other!r}" for other, count in counts.items()]
    return f" There are {' and '.join(there)}." if there else ""


def _with_tags(samples, only, folder):
    """Those with at least one of the tags; all, if there is none."""
    if not only:
        return samples
    if hasattr(samples, "with_tags") and len(samples.with_tags(only)):
        return samples.with_tags(only)
    chosen = [sample for sample in samples if set(only) & set(sample.tags)]
    if not chosen:
        tags = sorted({tag for sample in samples for tag in sample.tags})
        raise NoFaces(
            f"Expected faces with a tag of {list(only)} in {folder}. The {len(samples)} faces of "
            f"this split have {tags or 'none'}."
        )
    return chosen


def _check(samples, folder):
    """All of one scheme, all images there, faces in them."""
    of_scheme = {sample.scheme: sample.path for sample in samples}
    if len(of_scheme) > 1:
        received = ", ".join(f"{name} in {path}" for name, path in of_scheme.items())
        raise ValueError(f"Expected faces of one landmark scheme in {folder}. Received: {received}")
    first_of = {}
    for sample in samples:
        first_of.setdefault(sample.path, sample)
    missing = [sample.where for path, sample in first_of.items() if not os.path.isfile(path)]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {len(missing)} of its image files: {name_some(missing)}."
        )
    sizes = {path: picture_size(path) for path in first_of}
    for sample in samples:
        check_inside(sample, sizes[sample.path])
