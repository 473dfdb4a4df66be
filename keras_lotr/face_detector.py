"""Where the faces of a photo are: OpenCV's YuNet, or a detector of one's own.

A detector is any callable: photo (H, W, 3) uint8 RGB -> list of `Face`, or (F, 4) boxes. Its boxes
are to be what landmark models are trained on, **the box around the landmarks** (for 68 or 98
points: from the brows to the chin, from ear to ear). Most detectors' boxes contain the forehead
too; crops from them are too large and sit too high.
"""

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

_YUNET_REPO, _YUNET_FILE = "opencv/face_detection_yunet", "face_detection_yunet_2023mar.onnx"
_YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

# The box around 68 landmarks as fractions of YuNet's box: x0, y0, x1, y1. Medians over 500 faces of
# 300-W's training photos, the two sides made symmetric. It raises the mean overlap (IoU) with the
# box of the annotated landmarks from 0.70 to 0.88, takes the longer side from 1.27 to 0.99 times
# the true one (standard deviation from 0.08 to 0.05) and the mean distance of the centres from 0.16
# to 0.04 of the longer side.
_LANDMARKS_IN_YUNET = np.array([-0.010, 0.250, 1.010, 1.007])


@dataclass(frozen=True, eq=False)
class Face:
    """A face that a detector found.

    Attributes:
        box: (4,) float32 x0, y0, x1, y1, photo pixels: the box around the landmarks.
        five_points: (5, 2) float32 photo pixels: eye on the left of the image, eye on the right,
            nose tip, mouth corner on the left, on the right; None if the detector has none.
        score: 0..1, how sure the detector is.
    """

    box: np.ndarray
    five_points: np.ndarray = None
    score: float = 1.0


class YuNet:
    """OpenCV's face detector (Wu, Peng, Yu, Machine Intelligence Research 2023).

    It finds faces of about 10 to 300 pixels in the picture that it sees, so a photo is first made
    as small as `max_side`; small photos are left as they are. May be called from several threads.

    Args:
        path: face_detection_yunet_2023mar.onnx.
        score_threshold: faces that it is less sure of are left out.
        nms_threshold: of two boxes that overlap more than this (IoU) one is left out.
        max_side: longer side in pixels of the picture that it sees; larger finds smaller faces and
            takes longer.

    Call arguments:
        image: (H, W, 3) uint8 RGB.

    Returns:
        List of `Face`, the largest first.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or no such network.
    """

    def __init__(self, path, score_threshold=0.7, nms_threshold=0.3, max_side=640):
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no face detector {path}.")
        self.max_side = max_side
        self._lock = threading.Lock()
        log = cv2.utils.logging
        level = log.setLogLevel(log.LOG_LEVEL_SILENT)  # of OpenCV's engines, of no use here
        try:
            self._network = cv2.FaceDetectorYN.create(
                os.fspath(path), "", (32, 32), score_threshold, nms_threshold
            )
        except cv2.error as error:
            raise ValueError(f"Expected a YuNet .onnx file. Received: {path}: {error}") from None
        finally:
            log.setLogLevel(level)

    def __call__(self, image):
        height, width = image.shape[:2]
        factor = min(1, self.max_side / max(height, width))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        with self._lock:  # size and picture are two calls
            self._network.setInputSize(size)
            found = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return []
        scale = np.array([width, height]) / size
        faces = [_face_of_yunet(row, scale) for row in found]
        return sorted(faces, key=lambda face: -np.prod(face.box[2:] - face.box[:2]))


def _face_of_yunet(row, scale):
    """x, y, w, h, five points, score. Its "right" eye is the person's: left in the image."""
    corner, sides, five = row[:2] * scale, row[2:4] * scale, row[4:14].reshape(5, 2) * scale
    box = np.tile(corner, 2) + _LANDMARKS_IN_YUNET * np.tile(sides, 2)
    return Face(box.astype(np.float32), five.astype(np.float32), float(row[14]))


def load_detector(detector, score_threshold=0.7):
    """The detector of that description.

    Args:
        detector: "yunet" (from the Hugging Face Hub, kept in its cache, checked by its sha256), the
            path of a YuNet .onnx file, or a callable, see above.
        score_threshold: of YuNet.

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
    if detector == "yunet":
        return YuNet(_download_yunet(), score_threshold)
    if isinstance(detector, str | os.PathLike) and os.fspath(detector).endswith(".onnx"):
        return YuNet(detector, score_threshold)
    raise ValueError(
        "Expected a face detector: 'yunet', the path of a YuNet .onnx file, or a callable. "
        f"Received: {detector!r}"
    )


def _checked_faces(found):
    """What a user's detector returned, as a list of `Face`."""
    if isinstance(found, list | tuple) and all(isinstance(face, Face) for face in found):
        return [Face(_checked_box(f.box), f.five_points, f.score) for f in found]
    return [Face(_checked_box(box)) for box in found]


def _checked_box(box):
    try:
        box = np.asarray(box, np.float32)
    except (TypeError, ValueError):
        box = np.full(0, np.nan)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
        raise ValueError(
            "Expected a detector that returns a list of Face or boxes (F, 4) x0, y0, x1, y1 in "
            f"photo pixels with x1 > x0 and y1 > y0. Received the box: {box.tolist()}"
        )
    return box


def _download_yunet():
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = Path(hf_hub_download(_YUNET_REPO, _YUNET_FILE, library_name="keras-lotr"))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise OSError(
            f"The face detector {_YUNET_FILE} is not in the local cache and cannot be downloaded "
            f"from hf://{_YUNET_REPO} ({type(error).__name__}). Give boxes, or the path of that "
            "file as detector (--detector PATH)."
        ) from None
    if hashlib.sha256(path.read_bytes()).hexdigest() != _YUNET_SHA256:
        raise ValueError(
            f"{path} is not the face detector that was expected (its sha256 differs). Delete it "
            "and try again, or give the path of a YuNet file that you trust as detector."
        )
    return path
