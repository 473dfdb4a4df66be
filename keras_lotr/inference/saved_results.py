"""Results of `keras-lotr predict` as files hold them, and the boxes in files of other programs.

What the columns or keys are called decides what the numbers mean.
"""

import json
import os
from pathlib import Path

import numpy as np

from keras_lotr.csv_table import is_parquet, read_table, read_text
from keras_lotr.images.names import unescaped
from keras_lotr.inference.boxes import corners_of
from keras_lotr.inference.formats import NOT_ALWAYS
from keras_lotr.inference.pose import ANGLES
from keras_lotr.inference.yunet import LANDMARKS_BOX

_IMAGE = ("image", "source", "file_name", "filename", "file", "path", "image_id", "name")
# Columns of a box, the first of these that are there, and how they say it.
_COLUMNS = (
    (("box_x0", "box_y0", "box_x1", "box_y1"), "xyxy"),  # those of `predict`
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
        {name or path of an image: list of [x0, y0, x1, y1]}, pixels of the upright image.

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
        return _of_json(_json(text), path.parent)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            "Expected boxes as JSON {file name: [[x0, y0, x1, y1], ...]}, as COCO, or as "
            f"`keras-lotr predict` writes them, in {path}. Received: {str(reason)[:200]}"
        ) from None


def read_entries(path):
    """The entries of a JSON, JSON lines, CSV, Parquet or COCO file of `keras-lotr predict`.

    Args:
        path: of the file.

    Returns:
        list of {"source", "width", "height", "faces"}, see `formats`. CSV and Parquet say nothing
        of sizes and of images without a face.

    Raises:
        ImportError: it is Parquet, and pyarrow is not installed.
        ValueError: it is no such file.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".csv" or is_parquet(path):
            return _entries_of_table(path)
        text = read_text(path)
        entries = _json(text) if text.strip() else []
        if isinstance(entries, dict) and {"images", "annotations"} <= entries.keys():
            return _entries_of_coco(entries, path.parent)
        entries = entries if isinstance(entries, list) else [entries]
        return [{**entry, "source": entry["source"], "faces": entry["faces"]} for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"Expected results of `keras-lotr predict` in {path}. Received: {str(error)[:200]}"
        ) from None


def _json(text):
    """JSON, or the list of what stands in JSON lines."""
    try:
        return json.loads(text)
    except ValueError:
        lines = text.split("\n")
        if len(lines) < 2 or not text.startswith("{"):
            raise
        return [json.loads(line) for line in lines if line.strip()]


def _of_json(content, folder):
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        names = {i["id"]: _beside(folder, i["file_name"]) for i in content["images"]}
        boxes = {name: [] for name in names.values()}
        for annotation in content["annotations"]:
            boxes[names[annotation["image_id"]]].append(_corners(annotation["bbox"], "xywh"))
        return boxes
    if isinstance(content, dict) and "faces" in content and "source" in content:
        content = [content]
    if isinstance(content, dict):
        return {name: [_corners(box) for box in boxes] for name, boxes in content.items()}
    boxes = {}
    for entry in content:
        name = next((entry[key] for key in _IMAGE if key in entry), None)
        if not isinstance(name, str):
            raise ValueError(f"the image {name!r}, which is no name; give the whole COCO file")
        here = boxes.setdefault(name, [])
        if "faces" in entry:
            here += [_corners(face["box"]) for face in entry["faces"]]
        elif "bbox" in entry:  # of COCO's results
            here.append(_corners(entry["bbox"], "xywh"))
        else:
            here.append(_corners(entry["box"]))
    return boxes


def _corners(box, box_format="xyxy"):
    """[x0, y0, x1, y1] of a box, or of a row of YuNet the box around the landmarks."""
    box = [float(value) for value in box]
    if len(box) == _YUNET:
        first, size = np.array(box[:2]), np.array(box[2:4])
        return (np.tile(first, 2) + LANDMARKS_BOX * np.tile(size, 2)).tolist()
    if len(box) != 4:
        raise ValueError(f"a box of {len(box)} numbers")
    return corners_of(box, box_format).tolist()


def _of_table(path):
    table, boxes = read_table(path), {}
    image = next((name for name in _IMAGE if name in table.header), None)
    found = (pair for pair in _COLUMNS if set(pair[0]) <= set(table.header))
    columns, box_format = next(found, (None, None))
    if image is None or columns is None:
        raise ValueError(
            "Expected the columns image,x0,y0,x1,y1 or image,x,y,w,h, or those of `keras-lotr "
            f"predict`, in {path}. Received: {','.join(table.header)[:200]}"
        )
    # In the table of `predict` x0 and y0 are the first landmark, and images lie beside the file.
    beside = columns[0] == "box_x0"
    for line, row in table.rows:
        try:
            values = dict(zip(table.header, row, strict=True))
            if _is_without_face(values):
                continue
            box = _corners([values[column] for column in columns], box_format)
        except ValueError:
            raise ValueError(
                f"Expected {len(table.header)} fields, with numbers for {', '.join(columns)}, in "
                f"{path}, line {line}. Received: {','.join(row)[:200]}"
            ) from None
        name = _beside(path.parent, values[image]) if beside else unescaped(values[image])
        boxes.setdefault(name, []).append(box)
    return boxes


def _beside(folder, name):
    """The path of an image as seen from a file that names it, or the name if there is none."""
    path = os.path.normpath(folder / unescaped(name))
    return path if os.path.isfile(path) else unescaped(name)


def _entries_of_table(path):
    table, entries = read_table(path), {}
    columns = [name for name in table.header if name[:1] in ("x", "y") and name[1:].isdigit()]
    for _, row in table.rows:
        values = dict(zip(table.header, row, strict=True))
        source = _beside(path.parent, values["image"])
        entry = {"source": source, "width": 0, "height": 0, "faces": []}
        if _is_without_face(values):
            if not values.get("error"):
                entries.setdefault(source, entry)
            continue
        face = {
            "points": np.reshape([float(values[name]) for name in columns], (-1, 2)).tolist(),
            "box": [float(values[side]) for side in _COLUMNS[0][0]],
            "score": float(values["score"]) if values["score"] else None,
            "scheme": values["scheme"],
            **_certainty_of(values),
            **_state_of(values),
        }
        entries.setdefault(source, entry)["faces"].append(face)
    return [*entries.values()]


def _is_without_face(values):
    """Whether a row of `keras_lotr.ray` is about an image in which there is no face, or failed."""
    return "error" in values and not values.get("face")


def _certainty_of(values):
    """What columns say of how sure the landmarks are; nothing if there are none."""
    if not values.get("quality"):
        return {}
    visible = [value for name, value in values.items() if name.startswith("visible")]
    sigma = [value for name, value in values.items() if name.startswith("sigma_")]
    return {
        "sigma": np.reshape([float(value) for value in sigma], (-1, 3)).tolist(),
        "visible": [float(value) for value in visible],
        "quality": float(values["quality"]),
    }


def _state_of(values):
    """Pose and openness, as far as the columns have them."""
    pose = {name: float(values[name]) for name in ANGLES if values.get(name)}
    opened = {k: float(v) for k, v in values.items() if v and k.startswith("openness_")}
    openness = {name.removeprefix("openness_"): value for name, value in opened.items()}
    return {k: v for k, v in (("pose", pose), ("openness", openness)) if v}


def _entries_of_coco(content, folder):
    entries = {
        image["id"]: {
            "source": _beside(folder, image["file_name"]),
            "width": image["width"],
            "height": image["height"],
            "faces": [],
        }
        for image in content["images"]
    }
    schemes = {category["id"]: category["supercategory"] for category in content["categories"]}
    for annotation in content["annotations"]:
        face = {
            "points": np.reshape(annotation["keypoints"], (-1, 3))[:, :2].tolist(),
            "box": _corners(annotation["bbox"], "xywh"),
            "score": annotation.get("score"),
            "scheme": schemes[annotation["category_id"]],
            **{key: annotation[key] for key in NOT_ALWAYS if key in annotation},
        }
        entries[annotation["image_id"]]["faces"].append(face)
    return [*entries.values()]
