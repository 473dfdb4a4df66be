"""A plain CSV file, for landmarks of one's own.

    image,x0,y0,x1,y1,...,split
    photos/anna.jpg,102.5,88,140.25,90,...,train

The header is required; `image` is a path relative to the CSV file, (0, 0) the middle of the top
left pixel. `split` (train, val or test) may be missing: then all faces serve any split. Other
columns are ignored. An image with several faces has several lines.
"""

import csv
import re
from pathlib import Path

import numpy as np

from keras_lotr.datasets.samples import Sample, in_scheme, read_text, split_of


def read(folder, split="train", scheme=None):
    """Faces of the CSV file.

    Args:
        folder: a folder with one CSV file, or the file.
        split: "train", "val" or "test".
        scheme: None: the known scheme of 68, 98 or 106 landmarks ("jd106"), plainN for any other.
            A scheme of as many landmarks says in which order the file has them.
    """
    file = _file(Path(folder))
    rows = csv.reader(read_text(file).splitlines(), skipinitialspace=True)
    header = next(rows, [])
    columns = _point_columns(header, file)
    samples = []
    for row in filter(None, rows):
        values = dict(zip(header, row, strict=False))
        own_split = split_of(values.get("split", split))
        points = _points([values.get(column) for column in columns])
        if len(row) != len(header) or own_split is None or points is None:
            raise ValueError(
                f"Expected {len(header)} fields, an image, {len(columns)} finite numbers and, "
                "where there is a split, train, val or test, in "
                f"{file}, line {rows.line_num}. Received: {','.join(row)[:200]}"
            )
        if own_split == split:
            origin = f"{file}, line {rows.line_num}"
            points, own = in_scheme(points, scheme, origin)
            samples.append(Sample(file.parent / values["image"], points, own, origin=origin))
    return samples


def is_here(folder):
    """Whether it is a CSV file or a folder with one that has a column `image`."""
    folder = Path(folder)
    if folder.is_file():
        return folder.suffix.lower() == ".csv"
    files = list(folder.glob("*.csv"))
    if len(files) != 1:
        return False
    with open(files[0], encoding="utf-8-sig", errors="replace") as file:
        return "image" in file.readline().strip().split(",")


def _file(folder):
    if folder.is_file():
        return folder
    files = sorted(folder.glob("*.csv"))
    if len(files) != 1:
        raise ValueError(
            f"Expected one CSV file in {folder}, or the file itself. "
            f"Received: {[file.name for file in files]}"
        )
    return files[0]


def _point_columns(header, file):
    """x0, y0, x1, y1, ... as far as the header has them; it must have all or none."""
    found = {name for name in header if re.fullmatch(r"[xy]\d+", name)}
    columns = [f"{axis}{i}" for i in range(len(found) // 2) for axis in "xy"]
    if not columns or set(columns) != found or "image" not in header:
        raise ValueError(
            f"Expected the header image,x0,y0,x1,y1,... in {file}. "
            f"Received: {','.join(header)[:200]}"
        )
    return columns


def _points(values):
    """(N, 2), or None if a value is missing or no finite number."""
    try:
        points = np.array(values, np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        return None
    return points if np.isfinite(points).all() else None
