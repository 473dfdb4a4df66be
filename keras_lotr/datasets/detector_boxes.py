"""The boxes that a face detector gives for labelled faces, to train and to measure with."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from keras_lotr.geometry import overlaps, part_of_box
from keras_lotr.inference.detectors import load_detector
from keras_lotr.inference.face_detector import FaceDetector

_SAME_FACE = 0.3  # IoU, small: a detector's box of a profile is much larger than the labels'
_ASKED = 200  # faces by which it is measured where landmarks lie in the detector's box
_FEWEST = 5  # that it must find, or nothing is known
_BETTER = 0.1  # by which the mean IoU must rise


def detector_boxes(samples, detector="builtin", landmarks_in_box=None):
    """The boxes that a detector finds for labelled faces.

    A detector's box is another one than the box around the landmarks: on near-frontal faces by a
    few percent, on profiles, of which only half of the landmarks have labels, by a third of its
    side. Of several faces in the image it is the one that shares most with the labels' box.

    Args:
        samples: list of `Sample`.
        detector: as of `load_detector`.
        landmarks_in_box: of the `Preprocessor`; a user's own detector knows by itself where the
            landmarks are.

    Returns:
        List of (4,) arrays, x0, y0, x1, y1 in image pixels; None where it does not find the face.

    Example:

    >>> from keras_lotr.datasets import read_samples
    >>> samples = read_samples("examples/rendered_faces", "val", "ibug68")[3:5]
    >>> [box.shape for box in detector_boxes(samples)]
    [(4,), (4,)]
    """
    detector, part = load_detector(detector), landmarks_in_box
    if part is None or not isinstance(detector, FaceDetector):
        return _each(_same_face, samples, detector)
    boxes = _each(_around, samples, detector)
    return [b if b is None else part_of_box(b, part).astype(np.float32) for b in boxes]


def with_detector_boxes(samples, detector="builtin", landmarks_in_box=None):
    """Labelled faces, and behind them the found ones again with the box of a face detector.

    Args:
        samples, detector, landmarks_in_box: as of `detector_boxes`.

    Returns:
        List of `Sample`, longer by the faces that the detector finds.
    """
    found = zip(samples, detector_boxes(samples, detector, landmarks_in_box), strict=True)
    return [*samples, *(replace(s, box=box) for s, box in found if box is not None)]


def landmarks_in_box(samples, detector="builtin"):
    """Where landmarks that cover a part of the face lie in the box that a detector finds.

    Args:
        samples: list or other sequence of `Sample` of one scheme; 200 of them are looked at.
        detector: as of `load_detector`.

    Returns:
        x0, y0, x1, y1 in sides of the detector's box, for a `Preprocessor`: the median over the
        faces. None if they fit the labels' boxes hardly better than the detector's boxes do, or if
        the detector finds fewer than five of the faces.

    Example:

    >>> from dataclasses import replace
    >>> from keras_lotr.datasets import read_samples
    >>> faces = read_samples("examples/rendered_faces", "val", "ibug68")
    >>> print(landmarks_in_box(faces))
    None
    >>> mouths = [replace(s, points_image=s.points_image[48:], scheme="plain20", box=None,
    ...           visibility=None) for s in faces]
    >>> [round(side, 1) for side in landmarks_in_box(mouths)]
    [0.3, 0.6, 0.7, 0.8]
    """
    samples = [samples[i] for i in range(0, len(samples), max(1, len(samples) // _ASKED))]
    detector = load_detector(detector)
    pairs = zip(samples, _each(_around, samples, detector), strict=True)
    pairs = [(sample.box, box) for sample, box in pairs if box is not None]
    if len(pairs) < _FEWEST:
        return None
    own, found = (np.array(boxes, np.float64) for boxes in zip(*pairs, strict=True))
    corners = own.reshape(-1, 2, 2) - found[:, None, :2]
    corners /= (found[:, 2:] - found[:, :2])[:, None]
    part = np.median(corners, axis=0).ravel().round(3)
    fit, before = (
        np.mean([overlaps(box, other[None])[0] for box, other in zip(own, boxes, strict=True)])
        for boxes in ([part_of_box(box, part) for box in found], found)
    )
    return tuple(part.tolist()) if fit > before + _BETTER else None


def _each(box_of, samples, detector):
    """`box_of` samples, several at a time; a user's own detector may be for one thread."""
    with ThreadPoolExecutor(None if isinstance(detector, FaceDetector) else 1) as pool:
        return list(pool.map(lambda sample: box_of(sample, detector), samples))


def _same_face(sample, detector):
    """The box that shares most with that of the labels; None if that is too little."""
    boxes = [face.box for face in detector(sample.image())]
    if not boxes:
        return None
    shared = overlaps(sample.box, np.stack(boxes))
    return boxes[shared.argmax()] if shared.max() > _SAME_FACE else None


def _around(sample, detector):
    """The box of an upright face in which the middle of the labels' box lies; None: none.

    Of several it is the one whose middle is nearest.
    """
    middle = (sample.box[:2] + sample.box[2:]) / 2
    faces = [face for face in detector(sample.image()) if face.degrees == 0]
    boxes = [f.box for f in faces if (f.box[:2] < middle).all() and (middle < f.box[2:]).all()]
    apart = [np.linalg.norm((box[:2] + box[2:]) / 2 - middle) for box in boxes]
    return boxes[int(np.argmin(apart))] if boxes else None
