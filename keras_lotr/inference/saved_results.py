"""Results of `keras-lotr predict`, read again from the files that hold them."""

import json
import os
import re
from pathlib import Path

import numpy as np

from keras_lotr.csv_table import is_parquet, read_table, read_text
from keras_lotr.images.names import find_image, unescaped
from keras_lotr.inference.boxes import corners_of
from keras_lotr.inference.face_entries import arguments_of
from keras_lotr.inference.formats import NOT_ALWAYS, to_pts
from keras_lotr.inference.pose import ANGLES
from keras_lotr.schemes import get_scheme, scheme_of_text

# The columns of a box in a table of `predict`.
BOX_COLUMNS = ("box_x0", "box_y0", "box_x1", "box_y1")
# All that is written here, see `formats`.
_ENTRY_KEYS = {"source", "width", "height", "faces"}
_FACE_KEYS = {"points", "box", "score", "scheme", *NOT_ALWAYS}
_COCO_KEYS = {"images", "annotations", "categories"}
_ANNOTATION_KEYS = {
    *("id", "image_id", "category_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd"),
    *("score", *NOT_ALWAYS),
}
_COLUMN = re.compile(
    "|".join(
        ["image|face|track_id|score|scheme|quality|low_quality|degrees", *BOX_COLUMNS, *ANGLES]
    )
    + r"|openness_\w+|([xy]|visible|sigma_(xx|xy|yy))\d+"
)


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
        entries = parsed_json(text) if text.strip() else []
        if isinstance(entries, dict) and {"images", "annotations"} <= entries.keys():
            return _entries_of_coco(entries, path.parent)
        entries = entries if isinstance(entries, list) else [entries]
        return [{**entry, "source": entry["source"], "faces": entry["faces"]} for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"Expected results of `keras-lotr predict` in {path}. Received: {str(error)[:200]}"
        ) from None


def is_result(path):
    """Whether a file is of `keras-lotr predict`, or `FaceLandmarks.save`, and no labels, it seems.

    Labelling programs add keys and columns, such as "info" and `split`, and leave out landmarks.

    Args:
        path: of a .json, .jsonl, .csv, .parquet, COCO or .pts file.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "photo.pts")
    >>> size = path.write_text(to_pts({"points": [[10, 20]]}))
    >>> is_result(path)
    True
    >>> size = path.write_text("version: 1\\nn_points:  1\\n{\\n11.25 21\\n}\\n")  # people's
    >>> is_result(path)
    False
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".pts":
            return _is_own_pts(read_text(path))
        read_entries(path)
        return _is_unchanged(path)
    except (ValueError, TypeError, KeyError, AttributeError):
        return _is_one_face(path)


def _is_one_face(path):
    """Whether it is JSON of `FaceLandmarks.save` and nothing was added to it."""
    try:
        face = parsed_json(read_text(path))
        arguments_of(face)
        return face.keys() <= _FACE_KEYS
    except (ValueError, RecursionError):
        return False


def _is_unchanged(path):
    """Whether there is nothing in results but what is written here."""
    if path.suffix.lower() == ".csv" or is_parquet(path):
        return all(_COLUMN.fullmatch(name) for name in read_table(path).header)
    content = parsed_json(read_text(path) or "[]")
    if isinstance(content, dict) and "annotations" in content:
        annotations = content["annotations"]
        flags = (flag for annotation in annotations for flag in annotation["keypoints"][2::3])
        return (
            content.keys() <= _COCO_KEYS
            and all(annotation.keys() <= _ANNOTATION_KEYS for annotation in annotations)
            and all(flags)
        )
    content = content if isinstance(content, list) else [content]
    faces = (face for entry in content for face in entry["faces"])
    return all(entry.keys() <= _ENTRY_KEYS for entry in content) and all(
        face.keys() <= _FACE_KEYS for face in faces
    )


def _is_own_pts(text):
    """Whether landmarks stand there exactly as they are written here."""
    numbers = text.partition("{")[2].partition("}")[0].split()
    points = np.reshape([float(number) for number in numbers], (-1, 2)) - 1
    return text == to_pts({"points": points.tolist()})


def parsed_json(text):
    """JSON, or the list of what stands in JSON lines."""
    try:
        return json.loads(text)
    except ValueError:
        lines = text.split("\n")
        if len(lines) < 2 or not text.startswith("{"):
            raise
        return [json.loads(line) for line in lines if line.strip()]


def image_beside(folder, name):
    """The path of an image as seen from a file that names it, or the name if there is none."""
    path = os.path.normpath(find_image(name, folder))
    return path if os.path.isfile(path) else unescaped(name)


def _entries_of_table(path):
    table, entries = read_table(path), {}
    columns = [name for name in table.header if name[:1] in ("x", "y") and name[1:].isdigit()]
    for _, row in table.rows:
        values = dict(zip(table.header, row, strict=True))
        source = image_beside(path.parent, values["image"])
        entry = {"source": source, "width": 0, "height": 0, "faces": []}
        if is_without_face(values):
            if not values.get("error"):
                entries.setdefault(source, entry)
            continue
        face = {
            "points": np.reshape(
                [float(values[name] or "nan") for name in columns], (-1, 2)
            ).tolist(),
            "box": [float(values[side]) for side in BOX_COLUMNS],
            "score": float(values["score"]) if values["score"] else None,
            "scheme": scheme_of_text(values["scheme"]),
            **({"degrees": float(values["degrees"])} if _is_turned(values) else {}),
            **({"track_id": int(float(values["track_id"]))} if values.get("track_id") else {}),
            **_certainty_of(values),
            **({"low_quality": True} if values.get("low_quality", "").lower() == "true" else {}),
            **_state_of(values),
        }
        entries.setdefault(source, entry)["faces"].append(face)
    return [*entries.values()]


def is_without_face(values):
    """Whether a row of `keras_lotr.ray` is about an image in which there is no face, or failed."""
    return "error" in values and not values.get("face")


def _is_turned(values):
    return float(values.get("degrees") or 0) != 0


def _certainty_of(values):
    """What columns say of how sure the landmarks are; nothing if they are empty or not there."""
    found = {}
    if any(sigma := [value for name, value in values.items() if name.startswith("sigma_")]):
        found["sigma"] = np.reshape([float(value) for value in sigma], (-1, 3)).tolist()
        found["quality"] = float(values["quality"])
    if any(visible := [value for name, value in values.items() if name.startswith("visible")]):
        found["visible"] = [float(value) for value in visible]
    return found


def _state_of(values):
    """Pose and openness, as far as the columns have them."""
    pose = {name: float(values[name]) for name in ANGLES if values.get(name)}
    opened = {k: float(v) for k, v in values.items() if v and k.startswith("openness_")}
    openness = {name.removeprefix("openness_"): value for name, value in opened.items()}
    return {k: v for k, v in (("pose", pose), ("openness", openness)) if v}


def _entries_of_coco(content, folder):
    entries = {
        image["id"]: {
            "source": image_beside(folder, image["file_name"]),
            "width": image["width"],
            "height": image["height"],
            "faces": [],
        }
        for image in content["images"]
    }
    schemes = {c["id"]: c.get("scheme", c["supercategory"]) for c in content["categories"]}
    for scheme in schemes.values():
        get_scheme(scheme)  # or else people's COCO file, of another supercategory
    for annotation in content["annotations"]:
        face = {
            "points": np.reshape(annotation["keypoints"], (-1, 3))[:, :2].tolist(),
            "box": corners_of([float(value) for value in annotation["bbox"]], "xywh").tolist(),
            "score": annotation.get("score"),
            "scheme": schemes[annotation["category_id"]],
            **{key: annotation[key] for key in NOT_ALWAYS if key in annotation},
        }
        entries[annotation["image_id"]]["faces"].append(face)
    return [*entries.values()]
