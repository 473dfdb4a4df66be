"""The file of `predict --boxes`: the boxes around the landmarks of each image's faces."""

import csv
import json
import os
from pathlib import Path

_SIDES = ("x0", "y0", "x1", "y1")
_EXPECTED = (
    "boxes as JSON {file name: [[x0, y0, x1, y1], ...]}, as CSV with the columns "
    "image,x0,y0,x1,y1, or a JSON or CSV file of `keras-lotr predict`"
)


def read_boxes(path):
    """Boxes of a file.

    Args:
        path: JSON {file name: [[x0, y0, x1, y1], ...]}; CSV with the columns image,x0,y0,x1,y1; or
            what `keras-lotr predict` writes as JSON or CSV.

    Returns:
        {file name or path: list of [x0, y0, x1, y1]}, pixels of the upright image.

    Raises:
        FileNotFoundError, ValueError: no such file, or not one of these.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of boxes {path}.")
    read = _of_csv if path.suffix.lower() == ".csv" else _of_json
    try:
        return read(path.read_text(encoding="utf-8-sig"), path.parent)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"Expected {_EXPECTED} in {path}.") from None


def boxes_of_images(images, boxes):
    """The boxes of each image: those of its path as it was given, of its name, or of its file.

    Args:
        images: paths and URLs.
        boxes: see `read_boxes`.

    Returns:
        {image: list of [x0, y0, x1, y1]}, without the images that the file does not mention.

    Example:

    >>> boxes_of_images(["photos/a.jpg", "b.jpg"], {"a.jpg": [[1, 2, 30, 40]]})
    {'photos/a.jpg': [[1, 2, 30, 40]]}
    """
    by_path = {os.path.abspath(name): found for name, found in boxes.items()}
    found = {}
    for image in images:
        names = (
            (image, boxes),
            (os.path.basename(image), boxes),
            (os.path.abspath(image), by_path),
        )
        known = [where[name] for name, where in names if name in where]
        found |= {image: known[0]} if known else {}
    return found


def _of_json(text, folder):
    content = json.loads(text)
    if isinstance(content, list):  # of `predict`
        content = {entry["source"]: [f["box"] for f in entry["faces"]] for entry in content}
    return {name: [[float(v) for v in box] for box in boxes] for name, boxes in content.items()}


def _of_csv(text, folder):
    boxes = {}
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    # In the CSV of `predict` x0 and y0 are the first landmark, and images lie beside the file.
    of_predict = "box_x0" in (rows.fieldnames or ())
    for row in rows:
        beside = os.path.normpath(folder / row["image"])
        name = beside if of_predict and os.path.isfile(beside) else row["image"]
        box = [float(row[f"box_{side}" if of_predict else side]) for side in _SIDES]
        boxes.setdefault(name, []).append(box)
    return boxes
