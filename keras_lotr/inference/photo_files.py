"""The faces of photos in one file, written and read again."""

from pathlib import Path

from keras_lotr import parquet_table
from keras_lotr.inference import formats
from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.inference.saved_results import is_result, read_entries
from keras_lotr.writing import check_replaced

_KINDS = {".json": "json", ".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}


def write_results(photos, path, coco=False):
    """Write the faces of photos into one file, as `keras-lotr predict` does.

    Args:
        photos: iterable of `PhotoLandmarks`, as `FaceLandmarker.stream` yields them; those that
            could not be read are left out.
        path: file .json, .jsonl, .csv or .parquet; it is written whole or not at all, and replaces
            earlier results only.
        coco: whether a .json file is one of COCO keypoints.

    Raises:
        ValueError: another ending, or something else than results is there.
        TypeError: the photos are something else, such as lists of faces.
        ImportError: .parquet, and pyarrow is not installed.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "faces.csv")
    >>> face = FaceLandmarks([[10, 20]], [0, 0, 50, 50], 0.9, "plain1")
    >>> write_results([PhotoLandmarks("a.jpg", [face])], path)
    >>> photo, = read_results(path)
    >>> photo.source, photo.faces
    ('a.jpg', [FaceLandmarks(1 landmarks (plain1), box [0, 0, 50, 50], score 0.90)])
    """
    kind = _KINDS.get(Path(path).suffix.lower())
    if kind is None or (coco and kind != "json"):
        endings = "a file .json for COCO" if coco else f"a file {', '.join(_KINDS)}"
        raise ValueError(f"Expected {endings}. Received: {path}")
    if kind == "parquet":
        parquet_table.check_installed()
    check_replaced(path, is_result, "predict")
    entries = [photo.to_dict() for photo in _checked(photos) if photo.error is None]
    formats.write_entries(path, "coco" if coco else kind, entries)


def _checked(photos):
    received = type(photos).__name__
    for photo in photos if hasattr(photos, "__iter__") else [None]:
        if not isinstance(photo, PhotoLandmarks):
            received += "" if photo is None else f" of {type(photo).__name__}"
            raise TypeError(
                "Expected several PhotoLandmarks, as landmarker.stream(images) yields them; a call "
                f"of the landmarker returns faces alone. Received: {received}"
            )
        yield photo


def read_results(path):
    """The faces in a file of `write_results` or of `keras-lotr predict`.

    Args:
        path: JSON, JSON lines, CSV, Parquet or COCO.

    Returns:
        list of `PhotoLandmarks`. Tables know nothing of sizes, which are 0, nor of photos without a
        face.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no such file.
        ImportError: it is Parquet, and pyarrow is not installed.
    """
    return [
        PhotoLandmarks(
            entry["source"],
            [FaceLandmarks.from_dict(face) for face in entry["faces"]],
            entry.get("width", 0),
            entry.get("height", 0),
        )
        for entry in read_entries(path)
    ]
