"""The boxes that a face detector gives for labelled faces, to train with."""

from dataclasses import replace

import numpy as np

from keras_lotr.geometry import overlaps
from keras_lotr.images.reading import read_image
from keras_lotr.inference.face_detector import load_detector

_SAME_FACE = 0.3  # IoU, small: a detector's box of a profile is much larger than the labels'


def with_detector_boxes(samples, detector="builtin"):
    """Labelled faces, and behind them the found ones again with the box of a face detector.

    A detector's box is another one than the box around the landmarks: on near-frontal faces by a
    few percent, on profiles, of which only half of the landmarks have labels, by a third of its
    side. Landmarks that are to hold with both are trained with both.

    Args:
        samples: list of `Sample`.
        detector: as of `load_detector`.

    Returns:
        list of `Sample`, longer by the faces that the detector finds.

    Example:

    >>> with_detector_boxes([])
    []
    """
    detector = load_detector(detector)
    boxes = [_box_of(sample, detector) for sample in samples]
    found = zip(samples, boxes, strict=True)
    return [*samples, *(replace(s, box=box) for s, box in found if box is not None)]


def _box_of(sample, detector):
    """The detector's box of the sample's face; None if it does not find it."""
    boxes = [face.box for face in detector(read_image(sample.path))]
    if not boxes:
        return None
    shared = overlaps(sample.box, np.stack(boxes))
    return boxes[shared.argmax()] if shared.max() > _SAME_FACE else None
