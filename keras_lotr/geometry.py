"""Where a pixel is, and how a face gets from the photo into the crop and back.

The pixel convention of the whole library, stated here and nowhere else: a point is (x, y), x to
the right, y down; **integer coordinates are pixel centres**. The top left pixel is (0, 0), an image
of side S spans -0.5 .. S - 0.5, its centre is (S - 1) / 2. `points_unit` are fractions of the
crop: 0 and 1 are the outer edges of the first and the last pixel, `unit = (pixel + 0.5) / S`.

A crop is always a similarity (rotation, one scale, shift): the NME of a face is the same in photo
and crop pixels, and faces are never stretched. A matrix is (2, 3) float64 and is named right to
left, `points_crop = apply(crop_from_image, points_image)`.
"""

import cv2
import numpy as np


def apply(matrix, points):
    """Move points by a similarity or affine matrix.

    Args:
        matrix: (2, 3) array.
        points: (..., 2) array.

    Returns:
        (..., 2) float64 array.

    Example:

    >>> import numpy as np
    >>> apply(np.array([[2, 0, 1], [0, 2, 0]]), np.array([[3.0, 4.0]])).tolist()
    [[7.0, 8.0]]
    """
    points = np.asarray(points, np.float64)
    return points @ matrix[:, :2].T + matrix[:, 2]


def compose(second, first):
    """The (2, 3) matrix that moves points by `first` and then by `second`."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def invert(matrix):
    """The (2, 3) matrix of the way back: `apply(invert(m), apply(m, p)) == p`."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def similarity(center_from, center_to, scale=1.0, degrees=0.0):
    """The similarity that turns about `center_from`, scales, and puts it on `center_to`.

    Args:
        center_from, center_to: (x, y).
        scale: pixels of the target per pixel of the source.
        degrees: rotation, positive turns x towards y (clockwise as seen on the screen).
    """
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, np.asarray(center_to) - linear @ np.asarray(center_from)])


def fit_similarity(points_from, points_to):
    """The similarity (without mirroring) nearest in least squares, after Umeyama, PAMI 1991.

    Args:
        points_from, points_to: (N, 2), N >= 2, not all points in one place.
    """
    a, b = np.asarray(points_from, np.float64), np.asarray(points_to, np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all() and np.ptp(a, axis=0).any()):
        raise ValueError("Expected at least two different finite points to fit a similarity.")
    mean_a, mean_b = a.mean(0), b.mean(0)
    # As complex numbers a rotation with scale is one factor, and least squares is one division.
    za, zb = (a - mean_a) @ [1, 1j], (b - mean_b) @ [1, 1j]
    power = np.vdot(za, za).real
    factor = np.vdot(za, zb) / power
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([linear, mean_b - linear @ mean_a])


def box_of(points):
    """The box (x0, y0, x1, y1) around points: (..., N, 2) -> (..., 4)."""
    points = np.asarray(points)
    return np.concatenate([points.min(-2), points.max(-2)], axis=-1)


def boxes_of(faces):
    """The boxes of faces, each with a `box`, as one array (F, 4).

    Example:

    >>> boxes_of([]).shape
    (0, 4)
    """
    return np.array([face.box for face in faces]).reshape(-1, 4)


def is_box(box):
    """Whether an array is x0, y0, x1, y1: four finite numbers with x1 > x0 and y1 > y0."""
    return box.shape == (4,) and bool(np.isfinite(box).all() and (box[2:] > box[:2]).all())


def overlaps(box, boxes):
    """Intersection over union of a box (4,) with each of (F, 4), all x0, y0, x1, y1.

    Example:

    >>> import numpy as np
    >>> boxes = np.array([[0, 0, 2, 2], [0, 0, 1, 2], [5, 5, 6, 6]])
    >>> overlaps(boxes[0], boxes).tolist()
    [1.0, 0.5, 0.0]
    """
    common = _common_areas(box, boxes)
    areas = np.prod(box[2:] - box[:2]), np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return common / (areas[0] + areas[1] - common)


def share_inside(boxes, box):
    """The share of the area of each of (F, 4) boxes that lies in another box (4,).

    Example:

    >>> share_inside(np.array([[0, 0, 2, 2], [1, 1, 5, 2]]), np.array([0, 0, 3, 9])).tolist()
    [1.0, 0.5]
    """
    return _common_areas(box, boxes) / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _common_areas(box, boxes):
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    return np.prod(np.maximum(high - low, 0), axis=1)


def part_of_box(box, part, degrees=0.0):
    """The box of a part of a face, of the box of the whole face.

    Args:
        box: x0, y0, x1, y1 in image pixels, around a face that is turned.
        part: (4,) x0, y0, x1, y1, where the part is in the box of an upright face, in its sides.
        degrees: turn of the face, clockwise: 0, 90, 180 or 270.

    Returns:
        (4,) float64 x0, y0, x1, y1.

    Example:

    >>> lower_half = (0, 0.5, 1, 1)
    >>> part_of_box((10, 10, 50, 90), lower_half).tolist()
    [10.0, 50.0, 50.0, 90.0]
    >>> part_of_box((10, 10, 90, 50), lower_half, degrees=90).tolist()
    [10.0, 10.0, 50.0, 50.0]
    """
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    sides = high - low if degrees % 180 == 0 else (high - low)[::-1]
    corners = (np.reshape(part, (2, 2)) - 0.5) * sides
    return box_of(apply(similarity([0, 0], (low + high) / 2, degrees=degrees), corners)).round(9)


def crop_from_box(box, size, margin, degrees=0.0):
    """The similarity of a crop: a square of `margin` times the longer side of the box, centred.

    Args:
        box: x0, y0, x1, y1 in image pixels, the box around the landmarks.
        size: side of the crop in pixels.
        margin: side of the crop over the longer side of the box.
        degrees: turn of the face in the photo that the crop takes out.

    Raises:
        ValueError: if the box is not four finite numbers with x1 > x0 and y1 > y0, or the margin
            is not above 0.

    Example:

    >>> crop_from_image = crop_from_box((10, 10, 110, 90), size=192, margin=1.0)
    >>> apply(crop_from_image, [60, 50]).tolist()
    [95.5, 95.5]
    """
    box = np.asarray(box, np.float64)
    if not is_box(box):
        raise ValueError(
            "Expected a box x0, y0, x1, y1 in image pixels with x1 > x0 and y1 > y0. "
            f"Received: {box.tolist()}"
        )
    if not 0 < margin < np.inf:
        raise ValueError(f"Expected a margin above 0, sides of the box. Received: {margin}")
    scale = size / (margin * (box[2:] - box[:2]).max())
    center = (box[:2] + box[2:]) / 2
    return similarity(center, [(size - 1) / 2] * 2, scale, -degrees)


def crop_from_five(five_points, five_unit, size):
    """The similarity that puts a face's five points nearest to where they are in a mean crop.

    Args:
        five_points: (5, 2) image pixels: centre of the eye on the left of the image, of the eye
            on the right, nose tip, mouth corner on the left, on the right.
        five_unit: (5, 2), the same points of the mean face as fractions of the crop.
        size: side of the crop in pixels.
    """
    five_points = np.asarray(five_points, np.float64)
    if five_points.shape != (5, 2) or not np.isfinite(five_points).all():
        raise ValueError(
            "Expected five finite points (eyes, nose tip, mouth corners) as (5, 2). "
            f"Received: shape {five_points.shape}, {five_points.tolist()}"
        )
    return fit_similarity(five_points, np.asarray(five_unit) * size - 0.5)


def warp(image, crop_from_image, size):
    """Cut the crop out of the photo; what lies outside the photo is black.

    Bilinear; where the photo is more than twice as fine as the crop it is first averaged over
    blocks of pixels, so that a large photo does not alias.

    Args:
        image: (H, W, 3) uint8.
        crop_from_image: (2, 3) similarity.
        size: side of the crop in pixels.

    Returns:
        (size, size, 3) uint8.
    """
    factor = int(1 / np.sqrt(abs(np.linalg.det(crop_from_image[:, :2]))))
    if factor > 1:
        image, image_from_small = _shrink_around_crop(image, crop_from_image, size, factor)
        crop_from_image = compose(crop_from_image, image_from_small)
    if image.size == 0:
        return np.zeros((size, size, 3), np.uint8)
    return cv2.warpAffine(image, crop_from_image, (size, size), flags=cv2.INTER_LINEAR)


def _shrink_around_crop(image, crop_from_image, size, factor):
    """Average blocks of factor x factor pixels, only where the crop looks."""
    corners = np.array([[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]])
    corners = apply(invert(crop_from_image), corners)
    limit = np.array(image.shape[1::-1])
    x0, y0 = np.clip(np.floor(corners.min(0)) - 2 * factor, 0, limit).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(0)) + 2 * factor, 0, limit).astype(int)
    x1, y1 = x0 + (x1 - x0) // factor * factor, y0 + (y1 - y0) // factor * factor
    part = image[y0:y1, x0:x1]
    if part.size:
        part = cv2.resize(part, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    block_center = (factor - 1) / 2
    return part, np.array([[factor, 0, x0 + block_center], [0, factor, y0 + block_center]], float)
