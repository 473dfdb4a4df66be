"""Where the faces of a photo are, found by a network of YuNet's format: the library's or YuNet."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.geometry import part_of_box
from keras_lotr.images.reading import is_several, read_image
from keras_lotr.inference.detector_network import load_network
from keras_lotr.inference.face_pyramid import join, merge_cells, pyramid
from keras_lotr.inference.yunet import LANDMARKS_BOX
from keras_lotr.number_checks import real
from keras_lotr.preprocessor import checked_part
from keras_lotr.presets.files import DETECTOR, ONNX, PREPROCESSOR, resolve

# Columns of what OpenCV's FaceDetectorYN returns: x, y, width, height, five points, score.
_SCORE = 14

MAX_SIDE = 640  # of `FaceDetector`, if it has neither `max_side` nor `min_face_size`

# Longer side, in pixels of what the network sees, of the smallest faces that it finds reliably: of
# 200 annotated faces of 300-W's photos, each alone on grey, it finds 92 % at 32 pixels, 75 % at 24
# and 57 % at 20.
_RELIABLE = 32


# What turns an image back in which faces are turned clockwise by so many degrees.
_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


@dataclass(frozen=True, eq=False)
class Face:
    """A face that a detector found.

    Attributes:
        box: (4,) float32 x0, y0, x1, y1, image pixels: the box around the landmarks.
        five_points: (5, 2) float32 image pixels: eye on the left of the image, eye on the right,
            nose tip, mouth corner on the left, on the right; None if the detector has none.
        score: 0..1, the detector's confidence.
        degrees: in-plane rotation of the face, clockwise from upright; one of the `rotations` that
            the detector looks for.
    """

    box: np.ndarray
    five_points: np.ndarray | None = None
    score: float = 1.0
    degrees: float = 0.0


class FaceDetector:
    """Finds faces with a detector network of YuNet's format, without Keras.

    onnxruntime runs it where it is installed, and OpenCV otherwise, or if the file says for which
    size of image it is, as YuNet's own does. Either takes as many threads as `cv2.getNumThreads()`
    says when the detector is made.

    The network sees the image with a longer side of at most `max_side` pixels, and small copies of
    it for faces that are too large for that, up to a face that fills the image. A face is the mean
    of all cells that see it, weighted by their scores (as in BlazeFace, Bazarevsky et al., 2019),
    which is steadier than the most certain cell. Threads may share a detector. It can be pickled.

    Args:
        path: .onnx file: a preset's model.onnx, or face_detection_yunet_2023mar.onnx.
        threshold: 0..1; faces with a lower score are left out.
        nms_threshold: 0..1; two boxes that overlap more than this (IoU) belong to one face.
        max_side: longer side, in pixels, of the largest copy that the network sees; None: 640. Most
            faces of 32 pixels in it are found, and some of 10; a larger copy takes longer.
        min_face_size: in place of `max_side`, how large the faces are that must be found, the
            smaller ones left out or not: the longer side of the box around the landmarks, in pixels
            of the image, or as a part (below 1) of the image's shorter side. The detector's time
            falls with its square. An image is not made larger for it.
        rotations: in-plane rotations of the faces to look for, in degrees clockwise: some of 0, 90,
            180, 270. Each takes as long as the first, and finds faces within about 40 degrees.
        score_threshold: the former name of `threshold`.
        candidates: 0..1, a lower score from which faces are returned as well, for somebody who can
            tell which of them are faces; None: none. The other faces stay as they are.
        landmarks_in_box: (4,) x0, y0, x1, y1, where the landmarks lie that are wanted, in sides of
            the box of an upright face: their boxes are returned. None: those of the whole faces.

    Call arguments:
        source: an image, as `read_image` takes it (a path, an RGB array, ...), or an iterable of
            images of any sizes.

    Returns:
        List of `Face`, the largest first. A list of images gives a list of such lists.

    Raises:
        FileNotFoundError, ValueError: the file is missing or no such network, a setting is out of
            its range, an image cannot be read, or its shorter side is below `min_face_size`.

    Example:

    >>> detect = FaceDetector.from_preset("face_detector")
    >>> [face.box.round().tolist() for face in detect("examples/astronaut.jpg")]
    [[177.0, 88.0, 271.0, 176.0]]
    >>> portraits = FaceDetector.from_preset(min_face_size=80)
    >>> len(portraits("examples/astronaut.jpg"))
    1
    """

    def __init__(
        self,
        path,
        threshold=0.7,
        nms_threshold=0.3,
        max_side=None,
        rotations=(0,),
        score_threshold=None,
        min_face_size=None,
        candidates=None,
        landmarks_in_box=None,
    ):
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no face detector {path}.")
        threshold = threshold if score_threshold is None else score_threshold
        rotations = kept_rotations(rotations)
        check_settings(threshold, nms_threshold, max_side, rotations, min_face_size, candidates)
        self.min_face_size, self.max_side = min_face_size, max_side or MAX_SIDE
        self.path, self.rotations = os.path.abspath(path), rotations
        self.threshold, self.nms_threshold = threshold, nms_threshold
        self.candidates = threshold if candidates is None else candidates
        part = landmarks_in_box
        self.landmarks_in_box = None if part is None else checked_part(part)
        self._network = load_network(self.path, min(threshold, self.candidates))

    @classmethod
    def from_preset(cls, preset="face_detector", token=None, **settings):
        """Load the detector of a preset.

        Args:
            preset: short name, folder or "hf://org/name[@revision]"; its model.onnx is used.
            token: access token of the Hub; None takes that of HF_TOKEN or `hf auth login`.
            **settings: thresholds, sizes and `rotations`; without a `threshold` that of its
                preprocessor.json.
        """
        files = resolve(preset, token)
        path = files.path(ONNX) if files.kind == DETECTOR else None
        if path is None:
            raise ValueError(
                f"Expected a preset of a face detector, with {ONNX}. Received: {preset}"
            )
        own = files.json_object(PREPROCESSOR) or {}
        if "score_threshold" in own and not settings.keys() & {"threshold", "score_threshold"}:
            settings["threshold"] = own["score_threshold"]
        return cls(path, **settings)

    def __repr__(self):
        size = "max_side" if self.min_face_size is None else "min_face_size"
        names = ("threshold", size, "rotations")
        settings = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"FaceDetector({self.path!r}, {settings}, run by {self._network.name})"

    def __reduce__(self):  # the network cannot be pickled
        max_side = self.max_side if self.min_face_size is None else None
        settings = self.threshold, self.nms_threshold, max_side, self.rotations, None
        more = self.min_face_size, self.candidates, self.landmarks_in_box
        return type(self), (self.path, *settings, *more)

    def of_part(self, landmarks_in_box):
        """This detector with other `landmarks_in_box`; both share the network."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), landmarks_in_box=landmarks_in_box)
        return other

    def __call__(self, source) -> list:  # or editors infer faces or lists of faces, and warn
        if is_several(source):
            return [self(one) for one in source]
        return self.find(read_image(source))

    def find(self, image, divisor=1):
        """The faces of one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            divisor: how many times smaller than its file the image was read; `min_face_size` counts
                pixels of the file.

        Returns:
            List of `Face` in pixels of `image`, the largest first.
        """
        quick = self.min_face_size is not None
        levels = pyramid(image, self._longer_side(image.shape[:2], divisor), quick)
        looks = [self._look(level, degrees) for degrees in self.rotations for level in levels]
        faces = join(looks, self.nms_threshold, self.threshold)
        if (part := self.landmarks_in_box) is not None:
            boxes = (part_of_box(face.box, part, face.degrees) for face in faces)
            pairs = zip(faces, boxes, strict=True)
            faces = [replace(face, box=box.astype(np.float32)) for face, box in pairs]
        return sorted(faces, key=lambda face: -np.prod(face.box[2:] - face.box[:2]))

    def _longer_side(self, shape, divisor):
        """The longer side of the largest copy of an image of that shape."""
        size, shorter = self.min_face_size, min(shape)
        if size is None:
            return self.max_side
        size = size / divisor if size >= 1 else size * shorter
        if size > shorter:
            raise ValueError(
                f"Expected an image whose shorter side has at least the {size:g} pixels of "
                f"min_face_size. Received: {shorter} pixels. Give a part of the shorter side, such "
                "as 0.2, for images of any size."
            )
        return math.ceil(max(shape) * _RELIABLE / size)

    def _look(self, level, degrees):
        """Faces that are upright after a copy of the photo is turned back by so many degrees.

        Returns:
            list of pairs: whether faces of this size are seen best in this copy, and the `Face`.
        """
        picture = level.picture if degrees == 0 else cv2.rotate(level.picture, _TURNS[degrees])
        found = self._network(picture)
        if not len(found):
            return []
        sides = (found[:, 2:4] * np.ptp(LANDMARKS_BOX.reshape(2, 2), axis=0)).max(1)
        found = found[level.may_see(sides * level.scale.max())]
        last = np.array(level.picture.shape[1::-1]) - 1  # the pixel at the lower right
        faces = []
        for row in merge_cells(found, self.nms_threshold, self.threshold):
            box = np.tile(row[:2], 2) + LANDMARKS_BOX * np.tile(row[2:4], 2)
            points = np.concatenate([box, row[4:14]]).reshape(7, 2)
            points = (_turn_back(points, degrees, last) - level.border) * level.scale
            corners = np.sort(points[:2], axis=0)
            box, points = corners.ravel().astype(np.float32), points[2:].astype(np.float32)
            face = Face(box, points, float(row[_SCORE]), float(degrees))
            faces.append((level.sees_best(np.ptp(corners, axis=0).max()), face))
        return faces


def kept_rotations(rotations):
    """Rotations as a tuple: who checks an iterator leaves nothing of it to look for.

    What is none of several stays, to be refused.

    Example:

    >>> kept_rotations(map(int, ["0", "90"])), kept_rotations(90)
    ((0, 90), 90)
    """
    return tuple(rotations) if hasattr(rotations, "__iter__") else rotations


def check_settings(
    threshold=0.7,
    nms_threshold=0.3,
    max_side=None,
    rotations=(0,),
    min_face_size=None,
    candidates=None,
    score_threshold=None,
):
    """Refuse settings of `FaceDetector` that it cannot have, before it is loaded.

    Raises:
        ValueError: naming the setting.

    Example:

    >>> check_settings(threshold=50)
    Traceback (most recent call last):
    ValueError: Expected a threshold of 0..1. Received: 50
    """
    threshold = threshold if score_threshold is None else score_threshold
    shares = {"threshold": threshold, "nms_threshold": nms_threshold}
    shares["candidates"] = threshold if candidates is None else candidates
    for name, value in shares.items():
        if real(value) is None or not 0 <= value <= 1:
            raise ValueError(f"Expected a {name} of 0..1. Received: {value!r}")
    try:
        wanted = set(rotations)
    except TypeError:  # a single number
        wanted = None
    if not wanted or not wanted <= {0, *_TURNS}:
        raise ValueError(
            f"Expected rotations as a list of some of 0, 90, 180, 270. Received: {rotations!r}"
        )
    if max_side is not None and (real(max_side) is None or not max_side >= 32):
        raise ValueError(f"Expected max_side of at least 32 pixels. Received: {max_side!r}")
    if min_face_size is None:
        return
    if real(min_face_size) is None or not 1e-4 <= min_face_size <= 1e6:
        raise ValueError(
            "Expected min_face_size as pixels of the image, such as 80, or a part of its shorter "
            f"side, such as 0.2. Received: {min_face_size!r}"
        )
    if max_side is not None:
        raise ValueError(
            "Expected either max_side or min_face_size: each says how large the image is that the "
            f"detector sees. Received: {max_side} and {min_face_size}"
        )


def _turn_back(points, degrees, last):
    """Points of the turned-back image -> of the image; `last` is its lower right pixel."""
    x, y = points.T
    columns = {
        0: (x, y),
        90: (last[0] - y, x),
        180: (last[0] - x, last[1] - y),
        270: (y, last[1] - x),
    }[degrees]
    return np.stack(columns, axis=-1)
