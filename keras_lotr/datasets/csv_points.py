"""A plain CSV file, for landmarks of one's own; or the same columns in a Parquet file.

    image,x0,y0,x1,y1,...,split
    photos/anna.jpg,102.5,88,140.25,90,...,train

The header is required; `image` (or `file`, `filename`, `file_name`, `path`) is a path relative to
the CSV file, (0, 0) the middle of the top left pixel of the upright image. Columns may be counted
from 1, and be set apart in the ways of `keras_lotr.csv_table`. A landmark without label has two
empty fields, or NA, nan or -1 in both. `split` (train, val or test) may be missing: then all faces
serve any split. A column `scheme` may name the order of the landmarks, as results of `predict` do.
Other columns are ignored. An image with several faces has several lines.

A folder may have a file for each split instead, such as train.csv, val.csv and test.csv; a column
`split` in them comes before the name of the file.
"""

import re
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from keras_lotr.csv_table import read_header, read_table
from keras_lotr.datasets import csv_folder
from keras_lotr.datasets.gaps import labelled_samples, without_missing
from keras_lotr.datasets.samples import existing, scheme_of, split_of
from keras_lotr.images.names import find_image
from keras_lotr.schemes import scheme_of_text

_NO_LABEL = ("", "na", "n/a", "nan", "none", "null")
_IMAGE = ("image", "file", "filename", "file_name", "path")


def read(folder, split="train", scheme=None):
    """Faces of the CSV files.

    Args:
        folder: a folder with one CSV file, or one for each split, or a file.
        split: "train", "val" or "test".
        scheme: None: the known scheme of 68, 98 or 106 landmarks ("jd106"), plainN for any other.
            A scheme of as many landmarks says in which order the file has them, unless a column
            `scheme` says it.
    """
    folder = Path(folder)
    files = csv_folder.files_of(folder) if folder.is_dir() else [(existing(folder), None)]
    samples = []
    for file, named in files:
        samples += labelled_samples(_faces(file, split, named or split, scheme), file, scheme)
    return samples


def _faces(file, split, usual, scheme):
    """The faces of a split in one file, whose lines have the split `usual` where they tell none."""
    table = read_table(file)
    columns = _point_columns(table.header, file)
    image_column = next(name for name in _IMAGE if name in table.header)
    faces = []
    for line, row in table.rows:
        values = dict(zip(table.header, row, strict=False))
        own_split = split_of(values.get("split", usual))
        points = _points([values.get(column) for column in columns])
        if len(row) != len(table.header) or own_split is None or points is None:
            raise ValueError(
                f"Expected {len(table.header)} fields, an image, {len(columns)} finite numbers (or "
                "none for x and y of a landmark without label) and, where there is a split, train, "
                f"val or test, in {file}, line {line}. Received: {','.join(row)[:200]}"
            )
        if own_split == split:
            image = find_image(values[image_column], file.parent)
            own = scheme_of(len(points), scheme, said=_scheme_said(values))
            origin = f"{file}, line {line}"
            faces.append({"path": image, "points_image": points, "scheme": own, "origin": origin})
    return faces


def _scheme_said(values):
    """What a row of `predict` says of its scheme; None if there is no such column."""
    with suppress(ValueError):
        return scheme_of_text(values.get("scheme") or "")
    return None


def is_here(folder):
    """Whether it is a CSV or Parquet file, or a folder with CSV files of a column `image` or `x0`.

    Also if their columns are not as they should be: `read` says what is missing.
    """
    folder = Path(folder)
    if folder.is_file():
        return folder.suffix.lower() in (".csv", ".tsv", ".parquet")
    try:
        with warnings.catch_warnings(action="ignore"):  # `read` warns
            files = csv_folder.files_of(folder)
    except ValueError:
        return False
    return any(_is_of_faces(file) for file, _ in files)


def _is_of_faces(file):
    try:
        return not {*_IMAGE, "x0"}.isdisjoint(read_header(file))
    except ValueError:
        return True


def _point_columns(header, file):
    """x0, y0, x1, y1, ...: from 0 or 1 on without a break, each once."""
    found = [name for name in header if re.fullmatch(r"[xy]\d+", name)]
    first = 0 if "x0" in found else 1
    columns = [f"{axis}{i + first}" for i in range(len(found) // 2) for axis in "xy"]
    images = next(filter(None, map(header.count, _IMAGE)), 0)
    once = images == 1 and header.count("split") <= 1
    if not columns or sorted(columns) != sorted(found) or not once:
        raise ValueError(
            f"Expected the header image,x0,y0,x1,y1,..., each column once, in {file}. "
            f"Received: {','.join(header)[:200]}"
        )
    return columns


def _points(values):
    """(N, 2), NaN without label; None if a value is no finite number, or x or y alone is there."""
    try:
        values = [np.nan if value.strip().lower() in _NO_LABEL else value for value in values]
        points = np.array(values, np.float64).reshape(-1, 2)
    except (AttributeError, ValueError):
        return None
    half = np.isnan(points).sum(-1) == 1
    return None if half.any() or np.isinf(points).any() else without_missing(points)
