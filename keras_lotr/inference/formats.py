"""Found landmarks as files: JSON, JSON lines, CSV, Parquet, iBUG's .pts, COCO keypoints.

Each writer takes what the JSON file holds, one entry per image,

    {"source", "width", "height", "faces": [{"points": [[x, y], ...], "box": [x0, y0, x1, y1],
      "score", "scheme"}]}

in pixels of the upright photo, (0, 0) the middle of its top left pixel. `score` is null for boxes
that the user gave. Faces of a model that says how sure it is have "sigma", "visible" and "quality",
too, and most have "pose" and "openness", see `FaceLandmarks.to_dict`. CSV, Parquet, .pts and COCO
files are what the readers of `keras_lotr.datasets` read.
"""

import codecs
import json
import math
import os
from itertools import pairwise
from pathlib import Path

from keras_lotr import parquet_table
from keras_lotr.csv_table import csv_line
from keras_lotr.inference.face_columns import cells_of_face, columns_of_face, kind_of_faces
from keras_lotr.presets.files import write_file
from keras_lotr.schemes import get_scheme, named_scheme, scheme_config
from keras_lotr.writing import replaced

# What not every face has, and COCO has no key for.
NOT_ALWAYS = (
    *("track_id", "degrees", "sigma", "visible", "quality", "low_quality", "pose", "openness"),
)

FORMATS = ("json", "jsonl", "csv", "parquet", "pts", "coco")


def write_text(path, text):
    """Write a file as a whole or not at all, into a folder that is made if it is missing."""
    write_file(path, encoded(text))


def encoded(text, encoding="utf-8"):
    r"""Text as bytes; JSON's escapes stand for what the encoding lacks, as in odd file names.

    Example:

    >>> encoded("face of " + chr(0x9854), "cp1252")
    b'face of \\u9854'
    """
    return text.encode(encoding, "keras_lotr.json")


def _escape(error):
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("keras_lotr.json", _escape)


def write_entries(path, kind, entries):
    """Write a file of many images as a whole or not at all, entry by entry.

    Args:
        path: the file; in CSV, Parquet and COCO, names of images are paths from its folder.
        kind: "json", "jsonl", "csv", "parquet" or "coco".
        entries: iterable that can be gone through several times, see above.
    """
    folder = Path(path).parent
    if kind in ("csv", "parquet"):
        write_rows(path, kind, _face_rows(entries, folder))
    elif kind == "coco":
        write_pieces(path, _coco_pieces(entries, folder))
    else:
        write_pieces(path, (json_list if kind == "json" else json_lines)(entries))


def write_rows(path, kind, rows):
    """Write a table as a whole or not at all, row by row.

    Args:
        path: the file.
        kind: "csv" or "parquet".
        rows: iterator of the columns, {name: type of its values}, and then of a list for each row,
            in which None is a missing value.
    """
    if kind == "csv":
        write_pieces(path, _csv_lines(rows))
        return
    with replaced(path) as unfinished, open(unfinished, "wb") as file:
        parquet_table.write_rows(file, next(rows), rows)


def write_pieces(path, pieces):
    """Write a text as a whole or not at all, of which no more than a piece is held at a time."""
    with replaced(path) as unfinished, open(unfinished, "wb") as file:
        for piece in pieces:
            file.write(encoded(piece))


def json_line(entry):
    """An entry in one line, without its end; what is not known, NaN, is null."""
    try:
        return json.dumps(entry, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_with_null(entry), ensure_ascii=False, allow_nan=False)


def _with_null(value):
    if isinstance(value, dict):
        return {key: _with_null(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_null(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def to_json(entries):
    """The list of entries as JSON, an image (or the faces of a frame) to a line."""
    return "".join(json_list(entries))


def json_list(entries):
    """The pieces of a list in JSON, an entry to a line."""
    return _joined("[\n", map(json_line, entries), "\n]\n")


def json_lines(entries):
    """The lines of JSON lines."""
    return (json_line(entry) + "\n" for entry in entries)


def _joined(start, parts, end):
    """The pieces of a list, whose parts are not held at once."""
    yield start
    for i, part in enumerate(parts):
        yield ",\n" * (i > 0) + part
    yield end


def to_csv(entries, folder=None):
    """A line for each face: image, face, score, box_*, scheme, x0, y0, x1, y1, ...

    If a face has a number of `FaceTracker`, track_id stands before the score. Of a model that says
    how sure it is, quality, visible0, ..., sigma_xx0, sigma_xy0, sigma_yy0, ... follow; then, where
    the scheme allows them, yaw, pitch, roll in degrees and openness_left_eye, openness_right_eye,
    openness_mouth. If a face is marked as of low quality, low_quality (true or false) is next. The
    last column, degrees, says how far the crop of the face was turned. What only some faces have is
    empty for the others.

    Args:
        entries: all of one scheme.
        folder: where the file will lie: `image` is then the path from there.
    """
    return "".join(_csv_lines(_face_rows(entries, folder)))


def _csv_lines(rows):
    return (csv_line([*row]) for row in rows)


def _face_rows(entries, folder):
    """The columns, {name: type of its values}, and then a list for each face."""
    columns = face_columns(*kind_of_faces(face for entry in entries for face in entry["faces"]))
    yield columns
    for entry in entries:
        yield from face_rows(entry, columns, folder)


def face_rows(entry, columns, folder=None):
    """An iterator of a row for each face of an image: the cells of these columns, None for none."""
    image = encoded(path_from(entry["source"], folder)).decode()
    for i, face in enumerate(entry["faces"]):
        cells = {"image": image, "face": i, **cells_of_face(face)}
        yield [cells.get(name) for name in columns]


def face_columns(scheme, has=()):
    """{name: type} of the columns of a table of the faces of images; see `columns_of_face`.

    Example:

    >>> list(face_columns("plain1"))
    ['image', 'face', 'score', 'box_x0', ..., 'box_y1', 'scheme', 'x0', 'y0', 'degrees']
    """
    return {"image": str, "face": int, **columns_of_face(scheme, has)}


def to_pts(face):
    """One face as 300-W's .pts, **1-based** as there."""
    lines = (f"{x + 1:.3f} {y + 1:.3f}" for x, y in face["points"])
    return f"version: 1\nn_points: {len(face['points'])}\n{{\n" + "\n".join(lines) + "\n}\n"


def to_coco(entries, folder=None):
    """A COCO keypoints file: a category for each scheme, with names and skeleton.

    The category of a scheme of one's own has all that it says as "scheme". The flag of a keypoint
    is 2, 1 if it is more probably hidden than seen, and 0 if its place is NaN.

    Args:
        entries: of the images.
        folder: where the file will lie: `file_name` is then the path from there.
    """
    return "".join(_coco_pieces(entries, folder))


def _coco_pieces(entries, folder):
    faces = (face for entry in entries for face in entry["faces"])
    schemes = dict.fromkeys(named_scheme(face["scheme"]) for face in faces)
    categories = {scheme: _category(scheme, i + 1) for i, scheme in enumerate(schemes)}
    yield from _joined('{"images": [', map(json_line, _images(entries, folder)), "],\n")
    annotations = map(json_line, _annotations(entries, categories))
    yield from _joined('"annotations": [', annotations, "],\n")
    yield f'"categories": {json_line([*categories.values()])}}}\n'


def _images(entries, folder):
    for image_id, entry in enumerate(entries, start=1):
        size = {"width": entry["width"], "height": entry["height"]}
        yield {"id": image_id, "file_name": path_from(entry["source"], folder), **size}


def _annotations(entries, categories):
    faces = ((i, face) for i, entry in enumerate(entries, start=1) for face in entry["faces"])
    for number, (image_id, face) in enumerate(faces, start=1):
        category = categories[named_scheme(face["scheme"])]
        ids = {"id": number, "image_id": image_id, "category_id": category["id"]}
        yield {**ids, **_annotation(face)}


def _annotation(face):
    x0, y0, x1, y1 = face["box"]
    visible = face.get("visible", [1] * len(face["points"]))
    flagged = [
        (0.0, 0.0, 0) if math.isnan(x + y) else (x, y, 1 + (seen >= 0.5))
        for (x, y), seen in zip(face["points"], visible, strict=True)
    ]
    others = {key: face[key] for key in NOT_ALWAYS if key in face}
    return {
        "keypoints": [value for keypoint in flagged for value in keypoint],
        "num_keypoints": sum(flag > 0 for *_, flag in flagged),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
        **({} if face["score"] is None else {"score": face["score"]}),
        **others,
    }


def _category(scheme, category_id):
    own = {} if isinstance(scheme, str) else {"scheme": scheme_config(scheme)}
    scheme = get_scheme(scheme)
    names = {i: f"{region}_{i}" for region, group in scheme.regions.items() for i in group}
    return {
        "id": category_id,
        "name": "face",
        "supercategory": scheme.name,
        **own,
        "keypoints": [names[i] for i in range(scheme.num_landmarks)],
        # COCO counts the keypoints of a skeleton from 1.
        "skeleton": [[a + 1, b + 1] for a, b in scheme_edges(scheme)],
    }


def scheme_edges(scheme):
    """The pairs of neighbouring landmarks on the lines of a scheme."""
    edges = []
    for contour in scheme.contours:
        run = contour.indices + contour.indices[:1] * contour.closed
        edges += pairwise(run)
    return edges


def path_from(source, folder):
    """The image as seen from a folder; URLs and names of what is no file stay as they are."""
    if folder is None or not os.path.isfile(source):
        return source
    try:
        return Path(os.path.relpath(source, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return os.path.abspath(source)
