"""Boxes that a user or a user's detector gives: what they may be."""

import numpy as np

from keras_lotr.geometry import is_box, share_inside

# A smaller box shows no face, and fractions of the photo, which other libraries return, are
# smaller. A box of which less lies in the photo is not one of a face in it.
_SMALLEST_SIDE = 4
_LEAST_INSIDE = 0.1
_LARGEST_PART = 4  # sides of the photo

# Numbers that are too large become infinite, which is refused in a sentence.
_QUIET = np.errstate(over="ignore", invalid="ignore")
# The ways to say a box, with torchvision's names.
FORMATS = ("xyxy", "xywh", "cxcywh")


def check_format(box_format):
    """Refuse another way to say a box than those of `FORMATS`."""
    if box_format not in FORMATS:
        raise ValueError(f"Expected a box_format, one of {FORMATS}. Received: {box_format!r}")


@_QUIET
def corners_of(boxes, box_format="xyxy"):
    """Boxes as their corners.

    Args:
        boxes: (..., 4).
        box_format: "xyxy": x0, y0, x1, y1; "xywh": x0, y0, width, height; "cxcywh": x and y of the
            centre, width, height.

    Returns:
        (..., 4) float32 x0, y0, x1, y1.

    Raises:
        ValueError: another format.

    Example:

    >>> corners_of([10, 20, 80, 90], "xywh").tolist()
    [10.0, 20.0, 90.0, 110.0]
    """
    check_format(box_format)
    boxes = np.array(boxes, np.float32)
    first, last = boxes[..., :2], boxes[..., 2:]
    if box_format == "cxcywh":
        first = first - last / 2
    return np.concatenate([first, last if box_format == "xyxy" else first + last], axis=-1)


@_QUIET
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
            photo are), larger than 4 times the photo, or with less than a tenth in the photo.

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
        hint = "; if it is x, y, width, height, say box_format='xywh'" * _may_be_xywh(array, shape)
        raise ValueError(f"{pixels} with x1 > x0 and y1 > y0{hint}. {received}")
    if (array[2:] - array[:2]).min() < _SMALLEST_SIDE:
        hint = (
            "; these look like fractions of the photo, multiply them by its width and height"
            if _may_be_fractions(array)
            else ""
        )
        raise ValueError(f"{pixels}, at least {_SMALLEST_SIDE} wide and high{hint}. {received}")
    height, width = shape[:2]
    photo = np.array([-0.5, -0.5, width - 0.5, height - 0.5])
    if (array[2:] - array[:2] > _LARGEST_PART * np.array([width, height])).any():
        raise ValueError(
            f"{pixels}, at most {_LARGEST_PART} times as wide and high as the photo of {width} x "
            f"{height} pixels. {received}"
        )
    if share_inside(array[None].astype(float), photo)[0] < _LEAST_INSIDE:
        raise ValueError(
            f"{pixels}, of which at least a tenth lies in the photo of {width} x {height} pixels. "
            f"{received}"
        )
    return array


def is_speck(box):
    """Whether a box in pixels is too small to show a face, as a detector may find some.

    Example:

    >>> is_speck([100, 50, 103, 53]), is_speck([0.3, 0.1, 0.5, 0.3]), is_speck([10, 10, 90, 80])
    (True, False, False)
    """
    array = np.asarray(box, np.float32)
    small = is_box(array) and (array[2:] - array[:2]).min() < _SMALLEST_SIDE
    return bool(small and not _may_be_fractions(array))


def _may_be_fractions(array):
    return array.min() >= -1 and array.max() <= 2


def _may_be_xywh(array, shape):
    """Whether it is a box in the photo if its last two numbers are width and height."""
    if array.shape != (4,) or not np.isfinite(array).all() or (array[2:] <= 0).any():
        return False
    return bool((array[:2] >= -1).all() and (array[:2] + array[2:] <= (*shape[1::-1],)).all())


@_QUIET
def check_boxes(boxes, shape, box_format="xyxy"):
    """The boxes that a user gave for a photo.

    Args:
        boxes: (F, 4) image pixels; or one box (4,).
        shape: of the photo, (H, W, 3).
        box_format: see `corners_of`.

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
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"Expected boxes (F, 4). Received: {str(error)[:200]}") from None
    if not boxes.size:
        return []
    if boxes.shape == (4,):
        boxes = boxes[None]
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        scores = boxes.ndim == 2 and boxes.shape[1] > 4
        hint = "; if scores follow the box, write boxes[:, :4]" * scores
        shape = f"shape {boxes.shape}{hint}"
        raise ValueError(f"Expected boxes (F, 4): x0, y0, x1, y1. Received: {shape}")
    return [check_box(box, shape) for box in corners_of(boxes, box_format)]
