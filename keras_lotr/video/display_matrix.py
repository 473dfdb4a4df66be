"""How a video's frames are to be turned and mirrored before they are shown."""

import math

import cv2
import numpy as np

_CLOCKWISE = {
    1: cv2.ROTATE_90_CLOCKWISE,
    2: cv2.ROTATE_180,
    3: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def matrix_of(frame):
    """The display matrix that comes with a frame of PyAV: nine numbers, or None."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(bytes(data), np.int32, 9)


def is_lying(matrix):
    """Whether rows are shown as columns, by a display matrix or None; see `upright`.

    Example:

    >>> is_lying(None), is_lying([0, 1, 0, -1, 0, 0, 0, 0, 1])
    (False, True)
    """
    return matrix is not None and bool(abs(matrix[1]) > abs(matrix[0]))


def upright(image, matrix):
    """An image as a display matrix says that it is seen.

    Args:
        image: (H, W, 3) uint8 RGB.
        matrix: nine numbers (a, b, u, c, d, v, x, y, w): the pixel (x, y) is shown at
            (a x + c y, b x + d y), up to scale and place; or None for the image as it is.

    Returns:
        (H, W, 3) or (W, H, 3) uint8 RGB; turned by quarters only.

    Example:

    >>> row = np.uint8([[1, 2]])
    >>> mirrored = upright(row, [-1, 0, 0, 0, 1, 0, 0, 0, 1])
    >>> turned = upright(row, [0, 1, 0, -1, 0, 0, 0, 0, 1])
    >>> mirrored.tolist(), turned.tolist()
    ([[2, 1]], [[1], [2]])
    """
    if matrix is None:
        return image
    a, b, _, c, d = map(float, matrix[:5])
    if a * d < b * c:  # mirrored: what is left of the matrix is a rotation
        image, a, b = cv2.flip(image, 1), -a, -b
    quarters = round(math.atan2(b, a) / (math.pi / 2)) % 4
    return cv2.rotate(image, _CLOCKWISE[quarters]) if quarters else image
