"""What `keras-lotr predict` does: landmarks of many pictures, of which some may be broken."""

import csv
import json
import os
import sys
from pathlib import Path

from tqdm import tqdm


def predict_files(landmarker, pictures, results, boxes=None):
    """Find the landmarks of pictures and write them.

    Args:
        landmarker: `FaceLandmarker`.
        pictures: paths and URLs, as `expand` gives them.
        results: where they go, from `open_results`.
        boxes: {file name or path: (F, 4)}, see `read_boxes`; None: the detector looks.

    Returns:
        The number of pictures that failed. Each is told on standard error, and so is one without
        a face.
    """
    known, failed = _with_boxes(pictures, boxes)
    photos = landmarker.stream(list(known), None if boxes is None else list(known.values()))
    # On a terminal only; None leaves that to tqdm.
    hide = True if len(known) < 2 else None
    for photo in tqdm(photos, total=len(known), unit="photo", file=sys.stderr, disable=hide):
        if photo.error is not None:
            _say(_named(photo))
            failed += 1
            continue
        if not photo.faces:
            _say(f"No face in {photo.source}.")
        results.add(photo)
    if failed < len(pictures):
        results.close()
    return failed


def read_boxes(path):
    """Boxes of a file: JSON {file name: [[x0, y0, x1, y1], ...]}, or CSV image,x0,y0,x1,y1.

    Returns:
        {file name or path: list of [x0, y0, x1, y1]}.

    Raises:
        FileNotFoundError, ValueError: no such file, or not one of these.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of boxes {path}.")
    read = _boxes_of_csv if path.suffix.lower() == ".csv" else _boxes_of_json
    try:
        return read(path.read_text(encoding="utf-8-sig"))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(
            "Expected boxes as JSON {file name: [[x0, y0, x1, y1], ...]} or as CSV with the "
            f"columns image,x0,y0,x1,y1 in {path}."
        ) from None


def _boxes_of_json(text):
    return {
        name: [[float(v) for v in box] for box in boxes] for name, boxes in json.loads(text).items()
    }


def _boxes_of_csv(text):
    boxes = {}
    for row in csv.DictReader(text.splitlines(), skipinitialspace=True):
        boxes.setdefault(row["image"], []).append([float(row[k]) for k in ("x0", "y0", "x1", "y1")])
    return boxes


def _with_boxes(pictures, boxes):
    """{picture: its boxes} of those that have any, and the number of the others."""
    if boxes is None:
        return dict.fromkeys(pictures), 0
    known = {}
    for picture in pictures:
        found = boxes.get(picture, boxes.get(os.path.basename(picture)))
        if found is None:
            _say(f"There are no boxes for {picture}.")
        else:
            known[picture] = found
    return known, len(pictures) - len(known)


def _named(photo):
    message = str(photo.error)
    return message if str(photo.source) in message else f"{photo.source}: {message}"


def _say(message):
    tqdm.write(f"keras-lotr: {message}", file=sys.stderr)
