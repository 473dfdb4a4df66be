"""Where the faces of a photo are: the library's small detector, YuNet, or a detector of one's own.

A detector is any callable: photo (H, W, 3) uint8 RGB -> list of `Face`, or (F, 4) boxes. Its boxes
are to be what landmark models are trained on, **the box around the landmarks** (for 68 or 98
points: from the brows to the chin, from ear to ear). Most detectors' boxes contain the forehead
too; crops from them are too large and sit too high.
"""

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.geometry import is_box, overlaps
from keras_lotr.hub import Handle, fetch
from keras_lotr.preset_files import ONNX, PREPROCESSOR, resolve

_YUNET = Handle("opencv/face_detection_yunet", "3cc26e7f1014a5ee5d74a42acee58bafc9d0a310")
_YUNET_FILE = "face_detection_yunet_2023mar.onnx"
_YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

# The box around 68 landmarks as fractions of YuNet's box: x0, y0, x1, y1. Medians over 500 faces of
# 300-W's training photos, the two sides made symmetric. It raises the mean overlap (IoU) with the
# box of the annotated landmarks from 0.70 to 0.88, takes the longer side from 1.27 to 0.99 times
# the true one (standard deviation from 0.08 to 0.05) and the mean distance of the centres from 0.16
# to 0.04 of the longer side.
_LANDMARKS_IN_YUNET = np.array([-0.010, 0.250, 1.010, 1.007])

# Columns of what OpenCV's FaceDetectorYN returns: x, y, width, height, five points, score.
_SCORE = 14

# What turns a picture back in which faces are turned clockwise by so many degrees.
_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


@dataclass(frozen=True, eq=False)
class Face:
    """A face that a detector found.

    Attributes:
        box: (4,) float32 x0, y0, x1, y1, photo pixels: the box around the landmarks.
        five_points: (5, 2) float32 photo pixels: eye on the left of the image, eye on the right,
            nose tip, mouth corner on the left, on the right; None if the detector has none.
        score: 0..1, how sure the detector is.
        degrees: how far the face is turned clockwise from upright, in steps of what the detector
            was asked to look for; 0 for a detector that finds upright faces only.
    """

    box: np.ndarray
    five_points: np.ndarray = None
    score: float = 1.0
    degrees: float = 0.0


class FaceDetector:
    """Runs a detector network of YuNet's format (`keras_lotr.detector`) in OpenCV.

    YuNet finds faces of about 10 to 300 pixels in the picture that it sees, so a photo is first
    made as small as `max_side`; smaller photos are left as they are. A face is the mean of what all
    cells say that see it, weighted by their scores (as in BlazeFace, Bazarevsky et al., 2019): that
    is steadier than the surest one alone. No Keras is needed. May be called from several threads;
    they take turns.

    Args:
        path: .onnx file: a preset's model.onnx, or face_detection_yunet_2023mar.onnx.
        score_threshold: faces that it is less sure of are left out.
        nms_threshold: two boxes that overlap more than this (IoU) are of one face.
        max_side: longer side in pixels of the picture that it sees; larger finds smaller faces and
            takes longer.
        rotations: degrees, clockwise, of the faces to look for: of 0, 90, 180, 270. Each takes as
            long as the first; faces are found up to about 40 degrees from one of them.

    Call arguments:
        image: (H, W, 3) uint8 RGB, or a list of such photos of any sizes.

    Returns:
        List of `Face`, the largest first; for a list of photos a list of such lists.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or no such network.

    Example:

    >>> import numpy as np
    >>> detect = FaceDetector.from_preset("face_detector")
    >>> detect(np.zeros((480, 640, 3), np.uint8))
    []
    """

    def __init__(self, path, score_threshold=0.7, nms_threshold=0.3, max_side=640, rotations=(0,)):
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no face detector {path}.")
        if not rotations or not set(rotations) <= {0, 90, 180, 270}:
            raise ValueError(f"Expected rotations of 0, 90, 180, 270. Received: {rotations}")
        if max_side < 32:
            raise ValueError(f"Expected max_side of at least 32 pixels. Received: {max_side}")
        self.max_side, self.rotations = max_side, tuple(rotations)
        self._nms_threshold = nms_threshold
        self._lock = threading.Lock()
        log = cv2.utils.logging
        level = log.setLogLevel(log.LOG_LEVEL_SILENT)  # of OpenCV's engines, of no use here
        try:
            self._network = cv2.FaceDetectorYN.create(
                os.fspath(path), "", (32, 32), score_threshold, nms_threshold=1.0
            )  # leaves all cells; they are merged here
        except cv2.error as error:
            raise ValueError(
                f"Expected the .onnx file of a face detector like YuNet. Received: {path}: {error}"
            ) from None
        finally:
            log.setLogLevel(level)

    @classmethod
    def from_preset(cls, preset="face_detector", **settings):
        """The detector of a preset: short name, folder or "hf://org/name[@revision]".

        Args:
            preset: its model.onnx is used.
            **settings: thresholds, `max_side` and `rotations`; without a `score_threshold` that
                of its preprocessor.json.
        """
        files = resolve(preset)
        path, own = files.path(ONNX), files.json(PREPROCESSOR) or {}
        if path is None or not own.keys() <= {"score_threshold"}:
            raise ValueError(
                f"Expected a preset of a face detector, with {ONNX} and {PREPROCESSOR}. "
                f"Received: {preset}"
            )
        return cls(path, **{**own, **settings})

    def __call__(self, image):
        if isinstance(image, list | tuple):
            return [self(one) for one in image]
        height, width = image.shape[:2]
        factor = min(1, self.max_side / max(height, width))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.cvtColor(
            cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR
        )
        scale = np.array([width, height]) / size
        faces = [f for degrees in self.rotations for f in self._turned(small, degrees, scale)]
        if len(self.rotations) > 1:
            faces = self._without_doubles(faces)
        return sorted(faces, key=lambda face: -np.prod(face.box[2:] - face.box[:2]))

    def _turned(self, small, degrees, scale):
        """Faces that are upright after the picture is turned back by so many degrees."""
        upright = small if degrees == 0 else cv2.rotate(small, _TURNS[degrees])
        with self._lock:  # size and picture are two calls
            self._network.setInputSize(upright.shape[1::-1])
            found = self._network.detect(upright)[1]
        if found is None:
            return []
        last = np.array(small.shape[1::-1]) - 1  # the pixel at the lower right
        faces = []
        for row in merge_cells(found, self._nms_threshold):
            box = np.tile(row[:2], 2) + _LANDMARKS_IN_YUNET * np.tile(row[2:4], 2)
            points = np.concatenate([box, row[4:14]]).reshape(7, 2)
            points = _turn_back(points, degrees, last) * scale
            corners = np.sort(points[:2], axis=0).ravel().astype(np.float32)
            score = float(row[_SCORE])
            faces.append(Face(corners, points[2:].astype(np.float32), score, float(degrees)))
        return faces

    def _without_doubles(self, faces):
        """Of faces found under several rotations the surest."""
        kept = []
        for face in sorted(faces, key=lambda face: -face.score):
            known = np.array([other.box for other in kept]).reshape(-1, 4)
            if overlaps(face.box, known).max(initial=0) <= self._nms_threshold:
                kept.append(face)
        return kept


def merge_cells(rows, nms_threshold):
    """What several cells say of the same face, as one row; non-maximum suppression with a mean.

    Args:
        rows: (cells, 15): x, y, width, height, five points, score.
        nms_threshold: boxes that overlap a surer one more than this (IoU) are of the same face.

    Returns:
        (faces, 15), the surest first: means, weighted by score, of boxes and points; the highest
        score. A box that may be of a neighbour (IoU below 0.5) has no part in the mean.

    Example:

    >>> import numpy as np
    >>> cell = np.array([10, 20, 30, 40, *[0] * 10, 0.8])
    >>> moved = cell + np.eye(15)[0]
    >>> merge_cells(np.stack([cell, moved, cell + 100 * np.eye(15)[0]]), 0.3)[:, 0].tolist()
    [10.5, 110.0]
    """
    rows = rows[np.argsort(-rows[:, _SCORE], kind="stable")].astype(np.float64)
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    merged = []
    while len(rows):
        overlap = overlaps(boxes[0], boxes)
        same = overlap >= max(0.5, nms_threshold)
        mean = np.average(rows[same, :_SCORE], axis=0, weights=rows[same, _SCORE])
        merged.append([*mean, rows[0, _SCORE]])
        others = overlap <= nms_threshold
        others[0] = False
        rows, boxes = rows[others], boxes[others]
    return np.array(merged)


def _turn_back(points, degrees, last):
    """Points of the turned-back picture -> of the picture; `last` is its lower right pixel."""
    x, y = points.T
    columns = {
        0: (x, y),
        90: (last[0] - y, x),
        180: (last[0] - x, last[1] - y),
        270: (y, last[1] - x),
    }[degrees]
    return np.stack(columns, axis=-1)


def load_detector(detector="embedded", **settings):
    """The detector of that description.

    Args:
        detector: "embedded" (shipped with the library), "yunet" (from the Hugging Face Hub, kept
            in its cache, checked by its sha256), the path of an .onnx file of YuNet's format, or a
            callable, see above.
        **settings: of `FaceDetector`; not for a callable.

    Returns:
        Callable: (H, W, 3) uint8 RGB -> list of `Face`.

    Raises:
        OSError: the file of "yunet" is not in the cache and cannot be downloaded.
        ValueError: not such a description.

    Example:

    >>> import numpy as np
    >>> detect = load_detector(lambda image: [[10, 20, 90, 110]])
    >>> detect(np.zeros((128, 128, 3), np.uint8))[0].box.tolist()
    [10.0, 20.0, 90.0, 110.0]
    """
    if callable(detector):
        return lambda image: _checked_faces(detector(image))
    if detector == "embedded":
        return FaceDetector.from_preset(**settings)
    if detector == "yunet":
        return FaceDetector(_download_yunet(), **settings)
    if isinstance(detector, str | os.PathLike) and os.fspath(detector).endswith(".onnx"):
        return FaceDetector(detector, **settings)
    raise ValueError(
        "Expected a face detector: 'embedded', 'yunet', the path of an .onnx file, or a callable. "
        f"Received: {detector!r}"
    )


def _checked_faces(found):
    """What a user's detector returned, as a list of `Face`."""
    if isinstance(found, list | tuple) and all(isinstance(face, Face) for face in found):
        return [replace(f, box=_checked_box(f.box)) for f in found]
    return [Face(_checked_box(box)) for box in found]


def _checked_box(box):
    try:
        box = np.asarray(box, np.float32)
    except (TypeError, ValueError):
        box = np.full(0, np.nan)
    if not is_box(box):
        raise ValueError(
            "Expected a detector that returns a list of Face or boxes (F, 4) x0, y0, x1, y1 in "
            f"photo pixels with x1 > x0 and y1 > y0. Received the box: {box.tolist()}"
        )
    return box


def _download_yunet():
    try:
        path = fetch(_YUNET, _YUNET_FILE, sha256=_YUNET_SHA256)
    except OSError as error:
        raise OSError(
            f"{error} Or take the detector 'embedded', which comes with the library."
        ) from None
    if path is None:
        raise OSError(f"Expected {_YUNET_FILE} in {_YUNET}. It is not there any more.")
    return path
