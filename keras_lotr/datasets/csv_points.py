"""A plain CSV file, for landmarks of one's own.

    image,x0,y0,x1,y1,...,split
    photos/anna.jpg,102.5,88,140.25,90,...,train

The header is required; `image` is a path relative to the CSV file, (0, 0) the middle of the top
left pixel. A landmark without label has two empty fields, or NA, nan or -1 in both. `split` (train,
val or test) may be missing: then all faces serve any split. Other columns are ignored. An image
with several faces has several lines.
"""

import csv
import re
from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import labelled_samples, without_missing
from keras_lotr.datasets.samples import read_text, scheme_of, split_of

_NO_LABEL = ("", "na", "nan")


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
    faces = []
    for row in filter(None, rows):
        values = dict(zip(header, row, strict=False))
        own_split = split_of(values.get("split", split))
        points = _points([values.get(column) for column in columns])
        if len(row) != len(header) or own_split is None or points is None:
            raise ValueError(
                f"Expected {len(header)} fields, an image, {len(columns)} finite numbers (or none "
                "for x and y of a landmark without label) and, where there is a split, train, val "
                f"or test, in {file}, line {rows.line_num}. Received: {','.join(row)[:200]}"
            )
        if own_split == split:
            origin = f"{file}, line {rows.line_num}"
            image, own = file.parent / values["image"], scheme_of(len(points), scheme)
            faces.append({"path": image, "points_image": points, "scheme": own, "origin": origin})
    return labelled_samples(faces, file, scheme)


def is_here(folder):
    """Whether it is a CSV file or a folder with one that has a column `image` or `x0`.

    Also if its columns are set apart in another way: `read` says how they should be.
    """
    folder = Path(folder)
    if folder.is_file():
        return folder.suffix.lower() == ".csv"
    files = list(folder.glob("*.csv"))
    if len(files) != 1:
        return False
    with open(files[0], encoding="utf-8-sig", errors="replace") as file:
        names = re.split("[,;\t]", file.readline())
    return bool({"image", "x0"} & {name.strip(" \"'\r\n") for name in names})


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
    """x0, y0, x1, y1, ...: from 0 on without a break, each once."""
    found = [name for name in header if re.fullmatch(r"[xy]\d+", name)]
    columns = [f"{axis}{i}" for i in range(len(found) // 2) for axis in "xy"]
    once = header.count("image") == 1 and header.count("split") <= 1
    if not columns or sorted(columns) != sorted(found) or not once:
        raise ValueError(
            f"Expected the header image,x0,y0,x1,y1,... with commas, each column once, in {file}. "
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
