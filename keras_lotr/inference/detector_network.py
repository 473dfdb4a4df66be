"""A face detector's network of YuNet's format: run by onnxruntime where it is installed.

OpenCV takes two and a half times as long, and is the fallback. Both give the same rows: x, y, width
and height of a box, x and y of five points, and a score.
"""

import threading

import cv2
import numpy as np

from keras_lotr.inference.onnx_session import open_session

STRIDES = 8, 16, 32  # of the cells, in pixels
_MAPS = [f"{name}_{stride}" for stride in STRIDES for name in ("cls", "obj", "bbox", "kps")]


def load_network(path, threshold):
    """What runs the network of a file.

    Args:
        path: of the .onnx file.
        threshold: 0..1; cells with a lower score are left out.

    Returns:
        `OnnxruntimeNetwork` or `OpenCVNetwork`: callables, picture (h, w, 3) uint8 BGR -> (cells,
        15), the surest first, which may be called from several threads.

    Raises:
        ValueError: there is no such network in the file.

    Example:

    >>> network = load_network("presets/face_detector/model.onnx", 0.6)
    >>> network(np.zeros((64, 96, 3), np.uint8)).shape
    (0, 15)
    """
    try:
        session = open_session(path, path, cv2.getNumThreads())
    except (ImportError, ValueError):  # OpenCV says what is no such network
        return OpenCVNetwork(path, threshold)
    has_maps = {output.name for output in session.get_outputs()}.issuperset(_MAPS)
    if not has_maps:
        raise ValueError(
            f"Expected the .onnx file of a face detector like YuNet. {path} has other outputs."
        )
    # YuNet's own file is of 640 x 640 pixels, which only OpenCV can change.
    any_size = all(isinstance(side, str) for side in session.get_inputs()[0].shape[2:])
    if any_size:
        return OnnxruntimeNetwork(session, threshold)
    return OpenCVNetwork(path, threshold)


class OpenCVNetwork:
    """See `load_network`; threads take turns."""

    name = "OpenCV"

    def __init__(self, path, threshold):
        self._lock = threading.Lock()
        log = cv2.utils.logging
        level = log.setLogLevel(log.LOG_LEVEL_SILENT)  # of OpenCV's engines, of no use here
        try:
            self._network = cv2.FaceDetectorYN.create(
                path, "", (32, 32), threshold, nms_threshold=1.0
            )  # leaves all cells
        except cv2.error as error:
            raise ValueError(
                f"Expected the .onnx file of a face detector like YuNet. Received: {path}: {error}"
            ) from None
        finally:
            log.setLogLevel(level)

    def __call__(self, picture):
        with self._lock:  # size and image are two calls
            self._network.setInputSize(picture.shape[1::-1])
            found = self._network.detect(picture)[1]
        return np.empty((0, 15), np.float32) if found is None else found


class OnnxruntimeNetwork:
    """See `load_network`; a session keeps nothing between calls, so threads need not wait."""

    name = "onnxruntime"

    def __init__(self, session, threshold):
        self._session, self._threshold = session, threshold
        self._input = session.get_inputs()[0].name

    def __call__(self, picture):
        height, width = picture.shape[:2]
        below, right = -height % STRIDES[-1], -width % STRIDES[-1]
        padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT)
        maps = self._session.run(_MAPS, {self._input: cv2.dnn.blobFromImage(padded)})
        columns = [padded.shape[1] // stride for stride in STRIDES]
        rows = np.concatenate(
            [
                _rows(*maps[4 * i : 4 * i + 4], stride, columns[i], self._threshold)
                for i, stride in enumerate(STRIDES)
            ]
        )
        return rows[np.argsort(-rows[:, -1], kind="stable")]


def score_of(confidence, is_face):
    """A cell's score, 0..1, of its two maps, as `cv2.FaceDetectorYN` computes it."""
    return np.sqrt(np.clip(confidence, 0, 1) * np.clip(is_face, 0, 1))


def _rows(confidence, is_face, box, points, stride, columns, threshold):
    """Cells of a stride that are sure enough; each map is (1, cells, numbers)."""
    score = score_of(confidence, is_face)[0, :, 0]
    sure = np.flatnonzero(score >= threshold)
    cells = np.stack([sure % columns, sure // columns], axis=-1)
    size = np.exp(box[0, sure, 2:])
    corner = cells + box[0, sure, :2] - size / 2
    points = points[0, sure].reshape(-1, 5, 2) + cells[:, None]
    pixels = np.concatenate([corner, size, points.reshape(-1, 10)], axis=1) * stride
    return np.concatenate([pixels, score[sure, None]], axis=1).astype(np.float32)
