"""Boxes in files: results of `keras-lotr predict`, and files of other programs.

What the columns or keys are called decides what the numbers mean.
"""

import re
from pathlib import Path

import numpy as np

from keras_lotr.csv_table import is_parquet, read_table, read_text
from keras_lotr.images.names import unescaped
from keras_lotr.inference.boxes import corners_of
from keras_lotr.inference.face_detector import Face
from keras_lotr.inference.saved_results import (
    BOX_COLUMNS,
    image_beside,
    is_without_face,
    parsed_json,
)
from keras_lotr.inference.yunet import LANDMARKS_BOX

_IMAGE = ("image", "source", "file_name", "filename", "file", "path", "image_id", "name")
# Columns of a box, the first of these that are there, and how they say it.
_COLUMNS = (
    (BOX_COLUMNS, "xyxy"),
    (("x0", "y0", "x1", "y1"), "xyxy"),
    (("x1", "y1", "x2", "y2"), "xyxy"),
    (("x_min", "y_min", "x_max", "y_max"), "xyxy"),
    (("xmin", "ymin", "xmax", "ymax"), "xyxy"),
    (("left", "top", "right", "bottom"), "xyxy"),
    (("x", "y", "w", "h"), "xywh"),
    (("x", "y", "width", "height"), "xywh"),
    (("x_1", "y_1", "width", "height"), "xywh"),
    (("left", "top", "width", "height"), "xywh"),
    (("bbox_x", "bbox_y", "bbox_w", "bbox_h"), "xywh"),
)
# A row of YuNet in OpenCV: x, y, width, height, five points, score.
_YUNET = 15


def read_boxes(path):
    """The boxes in a file.

    Args:
        path: a file of `keras-lotr predict` (JSON, JSON lines, CSV, Parquet); JSON {image: boxes};
            COCO; a table with a column for the image and four for the box.

    Returns:
        {name or path of an image: list of `Face`}, pixels of the upright image, without scores;
        turned as the results of `keras-lotr predict` say.

    Raises:
        FileNotFoundError: no such file.
        ImportError: it is Parquet, and pyarrow is not installed.
        ValueError: none of these; the sentence says where and why.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of boxes {path}.")
    if is_parquet(path):
        return _of_table(path)
    text = read_text(path).lstrip()
    if path.suffix.lower() in (".csv", ".tsv", ".txt") and text[:1] not in ("{", "["):
        return _of_table(path)
    try:
        return _of_json(parsed_json(text), path.parent)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            "Expected boxes as JSON {file name: [[x0, y0, x1, y1], ...]}, as COCO, or as "
            f"`keras-lotr predict` writes them, in {path}. Received: {str(reason)[:200]}"
        ) from None


def _of_json(content, folder):
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        names = {i["id"]: image_beside(folder, i["file_name"]) for i in content["images"]}
        boxes = {name: [] for name in names.values()}
        for annotation in content["annotations"]:
            face = _face(annotation["bbox"], "xywh", annotation.get("degrees"))
            boxes[names[annotation["image_id"]]].append(face)
        return boxes
    if isinstance(content, dict) and "faces" in content and "source" in content:
        content = [content]
    if isinstance(content, dict):
        return {name: [_face(box) for box in boxes] for name, boxes in content.items()}
    boxes = {}
    for entry in content:
        name = next((entry[key] for key in _IMAGE if key in entry), None)
        if not isinstance(name, str):
            raise ValueError(f"the image {name!r}, which is no name; give the whole COCO file")
        here = boxes.setdefault(name, [])
        if "faces" in entry:
            here += [_face(face["box"], degrees=face.get("degrees")) for face in entry["faces"]]
        elif "bbox" in entry:  # of COCO's results
            here.append(_face(entry["bbox"], "xywh"))
        else:
            here.append(_face(entry["box"]))
    return boxes


def _face(box, box_format="xyxy", degrees=None):
    """The face in a box, or of a row of YuNet in the box around the landmarks."""
    box, degrees = [float(value) for value in box], float(degrees or 0)
    if len(box) == _YUNET:
        first, size = np.array(box[:2]), np.array(box[2:4])
        corners = np.tile(first, 2) + LANDMARKS_BOX * np.tile(size, 2)
        return Face(corners.astype(np.float32), score=None, degrees=degrees)
    if len(box) != 4:
        raise ValueError(f"a box of {len(box)} numbers")
    return Face(corners_of(box, box_format), score=None, degrees=degrees)


def _of_table(path):
    table, boxes = read_table(path), {}
    image = next((name for name in _IMAGE if name in table.header), None)
    columns, box_format = _box_columns(table.header)
    if image is None or columns is None:
        raise ValueError(
            "Expected the columns image,x0,y0,x1,y1 or image,x,y,w,h, or those of `keras-lotr "
            f"predict`, in {path}; more of x0,y0,x1,y1,... are landmarks and no box. Received: "
            f"{','.join(table.header)[:200]}"
        )
    # In the table of `predict` x0 and y0 are the first landmark, and images lie beside the file.
    beside = columns == BOX_COLUMNS
    for line, row in table.rows:
        try:
            values = dict(zip(table.header, row, strict=True))
            if is_without_face(values):
                continue
            box = [values[column] for column in columns]
            face = _face(box, box_format, values.get("degrees") if beside else None)
        except ValueError:
            raise ValueError(
                f"Expected {len(table.header)} fields, with numbers for {', '.join(columns)}, in "
                f"{path}, line {line}. Received: {','.join(row)[:200]}"
            ) from None
        name = image_beside(path.parent, values[image]) if beside else unescaped(values[image])
        boxes.setdefault(name, []).append(face)
    return boxes


def _box_columns(header):
    """The columns of a box, and how they say it; (None, None) if there are none.

    x0,y0,x1,y1 with x2,y2,... beside them are landmarks, of which two corners would make a box that
    nobody meant.
    """
    numbered = {name for name in header if re.fullmatch(r"[xy]\d+", name)}
    for columns, box_format in _COLUMNS:
        if set(columns) <= set(header) and (
            numbered.isdisjoint(columns) or numbered <= set(columns)
        ):
            return columns, box_format
    return None, None
