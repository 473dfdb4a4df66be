"""The boxes that a face detector gives for labelled faces, to train and to measure with."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from keras_lotr.geometry import overlaps
from keras_lotr.inference.detectors import load_detector
from keras_lotr.inference.face_detector import FaceDetector

_SAME_FACE = 0.3  # IoU, small: a detector's box of a profile is much larger than the labels'


def detector_boxes(samples, detector="builtin"):
    """The boxes that a detector finds for labelled faces.

    A detector's box is another one than the box around the landmarks: on near-frontal faces by a
    few percent, on profiles, of which only half of the landmarks have labels, by a third of its
    side. Of several faces in the image it is the one that shares most with the labels' box.

    Args:
        samples: list of `Sample`.
        detector: as of `load_detector`.

    Returns:
        List of (4,) arrays, x0, y0, x1, y1 in image pixels; None where it does not find the face.

    Example:

    >>> from keras_lotr.datasets import read_samples
    >>> samples = read_samples("examples/rendered_faces", "val", "ibug68")[3:5]
    >>> [box.shape for box in detector_boxes(samples)]
    [(4,), (4,)]
    """
    detector = load_detector(detector)
    # A user's own detector may be for one thread only.
    threads = None if isinstance(detector, FaceDetector) else 1
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda sample: _box_of(sample, detector), samples))


def with_detector_boxes(samples, detector="builtin"):
    """Labelled faces, and behind them the found ones again with the box of a face detector.

    Args:
        samples, detector: as of `detector_boxes`.

    Returns:
        List of `Sample`, longer by the faces that the detector finds.
    """
    found = zip(samples, detector_boxes(samples, detector), strict=True)
    return [*samples, *(replace(s, box=box) for s, box in found if box is not None)]


def _box_of(sample, detector):
    boxes = [face.box for face in detector(sample.image())]
    if not boxes:
        return None
    shared = overlaps(sample.box, np.stack(boxes))
    return boxes[shared.argmax()] if shared.max() > _SAME_FACE else None
