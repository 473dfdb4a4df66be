"""Boxes that a user or a user's detector gives: what they may be."""

import numpy as np

from keras_lotr.geometry import is_box, share_inside

# A smaller box shows no face, and fractions of the photo, which other libraries return, are
# smaller. A box of which less lies in the photo is not one of a face in it.
_SMALLEST_SIDE = 4
_LEAST_INSIDE = 0.1


def check_box(box, shape, giver="a box"):
    """A box as an array, if it can be meant.

    Args:
        box: x0, y0, x1, y1, image pixels.
        shape: of the photo, (H, W, 3).
        giver: what stands after "Expected" in the error.

    Returns:
        (4,) float32 array.

    Raises:
        ValueError: not four finite numbers, turned round, smaller than 4 pixels (fractions of the
            photo are), or with less than a tenth of it in the photo.

    Example:

    >>> check_box([0.33, 0.16, 0.53, 0.34], (480, 640, 3))
    Traceback (most recent call last):
    ValueError: Expected a box x0, y0, x1, y1 in image pixels, at least 4 wide and high; these look
    like fractions of the photo, multiply them by its width and height. Received: [0.33, ...]
    """
    try:
        array = np.asarray(box, np.float32)
    except (TypeError, ValueError):
        array = np.zeros(0)
    pixels = f"Expected {giver} x0, y0, x1, y1 in image pixels"
    received = f"Received: {np.round(array.astype(float), 4).tolist() if array.size else box!r}"
    if not is_box(array):
        raise ValueError(f"{pixels} with x1 > x0 and y1 > y0. {received}")
    if (array[2:] - array[:2]).min() < _SMALLEST_SIDE:
        fractions = array.min() >= -1 and array.max() <= 2
        hint = (
            "; these look like fractions of the photo, multiply them by its width and height"
            if fractions
            else ""
        )
        raise ValueError(f"{pixels}, at least {_SMALLEST_SIDE} wide and high{hint}. {received}")
    height, width = shape[:2]
    photo = np.array([-0.5, -0.5, width - 0.5, height - 0.5])
    if share_inside(array[None].astype(float), photo)[0] < _LEAST_INSIDE:
        raise ValueError(
            f"{pixels}, of which at least a tenth lies in the photo of {width} x {height} pixels. "
            f"{received}"
        )
    return array


def check_boxes(boxes, shape):
    """The boxes that a user gave for a photo.

    Args:
        boxes: (F, 4) x0, y0, x1, y1, image pixels; or one box (4,).
        shape: of the photo, (H, W, 3).

    Returns:
        list of F float32 arrays (4,).

    Raises:
        ValueError: not of this shape, or a box that cannot be meant, see `check_box`.

    Example:

    >>> [box.tolist() for box in check_boxes([10, 20, 90, 110], (480, 640, 3))]
    [[10.0, 20.0, 90.0, 110.0]]
    """
    try:
        boxes = np.asarray(boxes, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected boxes (F, 4). Received: {error}") from None
    if not boxes.size:
        return []
    if boxes.shape == (4,):
        boxes = boxes[None]
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"Expected boxes (F, 4): x0, y0, x1, y1. Received: shape {boxes.shape}")
    return [check_box(box, shape) for box in boxes]
