"""Found landmarks as files: JSON, CSV, iBUG's .pts, COCO keypoints.

Each writer takes what the JSON file holds, one entry per photo,

    {"source", "width", "height", "faces": [{"points": [[x, y], ...], "box": [x0, y0, x1, y1],
      "score", "scheme"}]}

in pixels of the upright photo, (0, 0) the middle of its top left pixel. `score` is null for boxes
that the user gave. CSV, .pts and COCO files are what the readers of `keras_lotr.datasets` read.
"""

import codecs
import csv
import io
import json
import os
from itertools import pairwise
from pathlib import Path

from keras_lotr.presets.files import write_file
from keras_lotr.schemes import get_scheme

FORMATS = ("json", "csv", "pts", "coco")


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


def to_json(entries):
    """The list of entries as JSON, a photo (or the faces of a frame) to a line."""
    lines = (json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in entries)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def to_csv(entries, folder=None):
    """A line for each face: image, face, score, box_*, scheme, x0, y0, x1, y1, ...

    Args:
        entries: all of one scheme.
        folder: where the file will lie: `image` is then the path from there.
    """
    schemes = {face["scheme"] for entry in entries for face in entry["faces"]}
    if len(schemes) > 1:
        raise ValueError(f"Expected faces of one scheme for a CSV. Received: {sorted(schemes)}")
    count = max((get_scheme(scheme).num_landmarks for scheme in schemes), default=0)
    boxes = [f"box_{side}" for side in ("x0", "y0", "x1", "y1")]
    columns = [f"{axis}{i}" for i in range(count) for axis in "xy"]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "face", "score", *boxes, "scheme", *columns])
    for entry in entries:
        image = _path_from(entry["source"], folder)
        for i, face in enumerate(entry["faces"]):
            points = [value for point in face["points"] for value in point]
            table.writerow([image, i, face["score"], *face["box"], face["scheme"], *points])
    return text.getvalue()


def to_pts(face):
    """One face as 300-W's .pts, **1-based** as there."""
    lines = (f"{x + 1:.3f} {y + 1:.3f}" for x, y in face["points"])
    return f"version: 1\nn_points: {len(face['points'])}\n{{\n" + "\n".join(lines) + "\n}\n"


def to_coco(entries, folder=None):
    """A COCO keypoints file: a category for each scheme, with names and skeleton.

    Args:
        entries: of the photos.
        folder: where the file will lie: `file_name` is then the path from there.
    """
    schemes = dict.fromkeys(face["scheme"] for entry in entries for face in entry["faces"])
    categories = {scheme: _category(scheme, i + 1) for i, scheme in enumerate(schemes)}
    images, annotations = [], []
    for image_id, entry in enumerate(entries, start=1):
        name = _path_from(entry["source"], folder)
        size = {"width": entry["width"], "height": entry["height"]}
        images.append({"id": image_id, "file_name": name, **size})
        for face in entry["faces"]:
            category_id = categories[face["scheme"]]["id"]
            annotation = {"id": len(annotations) + 1, "image_id": image_id}
            annotations.append({**annotation, "category_id": category_id, **_annotation(face)})
    content = {"images": images, "annotations": annotations, "categories": [*categories.values()]}
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def _annotation(face):
    x0, y0, x1, y1 = face["box"]
    return {
        "keypoints": [value for x, y in face["points"] for value in (x, y, 2)],
        "num_keypoints": len(face["points"]),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
        **({} if face["score"] is None else {"score": face["score"]}),
    }


def _category(name, category_id):
    scheme = get_scheme(name)
    names = {i: f"{region}_{i}" for region, group in scheme.regions.items() for i in group}
    return {
        "id": category_id,
        "name": "face",
        "supercategory": name,
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


def _path_from(source, folder):
    """The photo as seen from a folder; URLs and names of what is no file stay as they are."""
    if folder is None or not os.path.isfile(source):
        return source
    try:
        return Path(os.path.relpath(source, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return os.path.abspath(source)
