"""A plain CSV file, for landmarks of one's own; or the same columns in a Parquet file.

    image,x0,y0,x1,y1,...,split
    photos/anna.jpg,102.5,88,140.25,90,...,train

The header is required; `image` (or `file`, `filename`, `file_name`, `path`) is a path relative to
the CSV file, (0, 0) the middle of the top left pixel of the upright image. Columns may be counted
from 1, and be set apart in the ways of `keras_lotr.csv_table`. A landmark without label has two
empty fields, or NA, nan or -1 in both. `split` (train, val or test) may be missing: then all faces
serve any split. Other columns are ignored. An image with several faces has several lines.
"""

import re
from pathlib import Path

import numpy as np

from keras_lotr.csv_table import read_table, read_text
from keras_lotr.datasets.gaps import labelled_samples, without_missing
from keras_lotr.datasets.samples import existing, scheme_of, split_of
from keras_lotr.images.names import unescaped

_NO_LABEL = ("", "na", "n/a", "nan", "none", "null")
_IMAGE = ("image", "file", "filename", "file_name", "path")


def read(folder, split="train", scheme=None):
    """Faces of the CSV file.

    Args:
        folder: a folder with one CSV file, or the file.
        split: "train", "val" or "test".
        scheme: None: the known scheme of 68, 98 or 106 landmarks ("jd106"), plainN for any other.
            A scheme of as many landmarks says in which order the file has them.
    """
    file = existing(_file(Path(folder)))
    table = read_table(file)
    columns = _point_columns(table.header, file)
    image_column = next(name for name in _IMAGE if name in table.header)
    faces = []
    for line, row in table.rows:
        values = dict(zip(table.header, row, strict=False))
        own_split = split_of(values.get("split", split))
        points = _points([values.get(column) for column in columns])
        if len(row) != len(table.header) or own_split is None or points is None:
            raise ValueError(
                f"Expected {len(table.header)} fields, an image, {len(columns)} finite numbers (or "
                "none for x and y of a landmark without label) and, where there is a split, train, "
                f"val or test, in {file}, line {line}. Received: {','.join(row)[:200]}"
            )
        if own_split == split:
            image, own = _image(file, values[image_column]), scheme_of(len(points), scheme)
            origin = f"{file}, line {line}"
            faces.append({"path": image, "points_image": points, "scheme": own, "origin": origin})
    return labelled_samples(faces, file, scheme)


def is_here(folder):
    """Whether it is a CSV or Parquet file, or a folder with a CSV of a column `image` or `x0`.

    Also if its columns are not as they should be: `read` says what is missing.
    """
    folder = Path(folder)
    if folder.is_file():
        return folder.suffix.lower() in (".csv", ".tsv", ".parquet")
    files = _files(folder)
    if len(files) != 1:
        return False
    try:
        text = re.sub(r"\A(?:(?:sep=.|#.*)?\r?\n)+", "", read_text(files[0]))
    except ValueError:
        return True
    first = text.lstrip().partition("\n")[0].lower()
    names = {name.strip(" \"'\r") for name in re.split("[,;\t|]", first)}
    return bool({*_IMAGE, "x0"} & names)


def _files(folder):
    return sorted([*folder.glob("*.csv"), *folder.glob("*.CSV"), *folder.glob("*.tsv")])


def _file(folder):
    if not folder.is_dir():
        return folder
    files = _files(folder)
    if len(files) != 1:
        raise ValueError(
            f"Expected one CSV file in {folder}, or the file itself. "
            f"Received: {[file.name for file in files]}"
        )
    return files[0]


def _image(file, name):
    path = file.parent / name
    return path if path.exists() else file.parent / unescaped(name)


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
