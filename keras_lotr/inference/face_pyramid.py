"""A photo at several sizes for a detector, and what was found in all of them as one list.

A detector of YuNet's kind finds faces of about 10 to 300 pixels. A face that fills the photo is
larger than that, and at the photo's edge it lacks the surroundings by which a detector knows faces.
So each photo is looked at again as a small copy with a border: that costs a few per cent, since the
copy has few pixels. Of each face the size is counted that was seen best.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from keras_lotr.geometry import overlaps, share_inside

# The smallest copy, and its border as a part of each side. For a photo of 4:3 that makes 128 x 96
# pixels, multiples of the network's strides. Of 1,800 close-ups (200 annotated faces of 300-W's
# photos, three widths of surroundings, three sizes) a detector without this copy missed 332 and put
# 140 into a wrong box (IoU below 0.5); with it, 4 and 2. Copies of 96 to 128 pixels differ little.
_LAST_SIDE, _BORDER = 96, 1 / 6
# A quick pyramid ends with the first copy of at most so many pixels: the border costs less there
# than a second look at almost the same.
_QUICK_LAST_SIDE = 144
_STEP = 0.15  # from one copy to the next, if more than two are needed: 640 -> 96

# Faces up to this size are seen better in the larger copy: boxes agree equally well with the
# landmarks' (IoU 0.86) at 300 of 640 pixels. A face that fills most of the copy needs a border.
_LARGE_FACE, _LARGE_PART = 300, 0.75
_OVERLAP_OF_SIZES = 0.8  # two copies may judge the size of one face differently
_PART_OF_FACE = 0.8  # a box that lies in another to this share is a part of that face


@dataclass(frozen=True, eq=False)
class Level:
    """A copy of a photo.

    Attributes:
        image: (h, w, 3) uint8 BGR, with its border.
        border: (2,) its width in pixels, in x and in y.
        scale: (2,) image pixels for a pixel of the copy, in x and in y.
        smallest, largest: longer sides, image pixels, of the faces that are seen best in it.
    """

    picture: np.ndarray
    border: np.ndarray
    scale: np.ndarray
    smallest: float
    largest: float

    def sees_best(self, side):
        """Whether faces with this longer side (image pixels) are seen best in this copy."""
        return self.smallest < side <= self.largest

    def may_see(self, side):
        """Whether such faces are not left to the larger copies."""
        return side > _OVERLAP_OF_SIZES * self.smallest


def pyramid(image, max_side, quick=False):
    """The copies of a photo, the largest first.

    Args:
        image: (H, W, 3) uint8 RGB.
        max_side: longer side in pixels of the largest copy.
        quick: whether to halve the image before it gets its size, and to spare a copy that is
            hardly smaller than another. Both change what is found by less than a pixel of the copy,
            but a detector without `min_face_size` is to find exactly what it always found.

    Returns:
        list of `Level`.

    Example:

    >>> [level.picture.shape for level in pyramid(np.zeros((960, 1280, 3), np.uint8), 640)]
    [(480, 640, 3), (96, 128, 3)]
    """
    shape = np.array(image.shape[1::-1])
    side, smallest, levels, picture = min(max_side, shape.max()), 0, [], image
    last_side = _QUICK_LAST_SIDE if quick else _LAST_SIDE
    while True:
        last = side <= last_side
        size = np.maximum(1, np.rint(shape * (side / shape.max()))).astype(int)
        picture = _smaller(picture, size) if levels else _bgr(image, size, quick)
        scale = shape / size
        if last:
            x, y = border = np.rint(_BORDER * size).astype(int)
            framed = cv2.copyMakeBorder(picture, y, y, x, x, cv2.BORDER_REPLICATE)
            return [*levels, Level(framed, border, scale, smallest, np.inf)]
        largest = min(_LARGE_FACE, _LARGE_PART * side) * scale.max()
        levels.append(Level(picture, np.zeros(2, int), scale, smallest, largest))
        side, smallest = max(_LAST_SIDE, round(_STEP * side)), largest


def _bgr(image, size, quick):
    """A photo in that size, as BGR."""
    if tuple(size) == image.shape[1::-1]:
        return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if quick:  # what no halving can take is left out: less than a pixel of the copy
        step = 2 ** int(np.log2(max(1, image.shape[1] / size[0])))
        height, width = (length // step * step for length in image.shape[:2])
        picture = _smaller(image[:height, :width], size)
    else:
        picture = _resized(image, size)
    return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=picture)


def _smaller(picture, size):
    """Halved first, where no pixel is left over: that is three times as fast."""
    while not np.any(np.array(picture.shape[:2]) % 2) and picture.shape[1] >= 2 * size[0]:
        picture = _resized(picture, np.array(picture.shape[1::-1]) // 2)
    return _resized(picture, size)


def _resized(picture, size):
    return cv2.resize(picture, tuple(map(int, size)), interpolation=cv2.INTER_AREA)


def join(looks, nms_threshold, sure=0.0):
    """What was found by several looks at one photo, each face once.

    Args:
        looks: list, for each look a list of pairs: whether the look is the best one for faces of
            this size, and the `Face`.
        nms_threshold: boxes that overlap more than this (IoU) are of the same face.
        sure: a face with a lower score gives way to any other.

    Returns:
        list of `Face`: of those that are the same, or of which one lies in the other, the one of
        the best look, or else the surest.
    """
    if sum(bool(look) for look in looks) <= 1:
        return [face for look in looks for _, face in look]
    found = sorted(
        (pair for look in looks for pair in look),
        key=lambda pair: (pair[1].score < sure, not pair[0], -pair[1].score),
    )
    faces, boxes = [face for _, face in found], np.array([face.box for _, face in found])
    left = np.ones(len(faces), bool)
    for i, box in enumerate(boxes):
        if left[i]:
            same = overlaps(box, boxes) > nms_threshold
            part = share_inside(boxes, box) > _PART_OF_FACE
            left[i + 1 :] &= ~(same | part)[i + 1 :]
    return [face for face, kept in zip(faces, left, strict=True) if kept]


def merge_cells(rows, nms_threshold, sure=0.0):
    """What several cells say of the same face, as one row; non-maximum suppression with a mean.

    Args:
        rows: (cells, 15): x, y, width, height, five points, score.
        nms_threshold: boxes that overlap a surer one more than this (IoU) are of the same face.
        sure: cells with a lower score have no part in the mean of a face with a higher one.

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
    rows = rows[np.argsort(-rows[:, -1], kind="stable")].astype(np.float64)
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    merged = []
    while len(rows):
        overlap = overlaps(boxes[0], boxes)
        same = (overlap >= max(0.5, nms_threshold)) & (rows[:, -1] >= min(sure, rows[0, -1]))
        mean = np.average(rows[same, :-1], axis=0, weights=rows[same, -1])
        merged.append([*mean, rows[0, -1]])
        others = overlap <= nms_threshold
        others[0] = False
        rows, boxes = rows[others], boxes[others]
    return np.array(merged)
