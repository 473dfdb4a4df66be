"""Whether labels belong to an image, as far as its size tells; nothing is decoded."""

import numpy as np

from keras_lotr.images.header import claimed_size

_HEAD = 4096  # bytes; the size stands further back only behind long EXIF data


def picture_size(path):
    """(width, height) in pixels as the file says; None for a kind of file that is not known."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        return claimed_size(head) or claimed_size(head + file.read())


def share_outside(points_image, size):
    """The part of the labelled landmarks that lie outside of an image.

    Args:
        points_image: (N, 2) image pixels, NaN where a landmark has no label; not all.
        size: width and height as stored; EXIF data may turn the image by 90 degrees, so the
            better of both ways counts.

    Returns:
        float, 0 to 1.

    Example:

    >>> share_outside([[0, 0], [63, 31], [64, 10], [10, -0.6]], (64, 32))
    0.5
    """
    points = np.asarray(points_image)
    points = points[~np.isnan(points).any(-1)]
    inside = [
        ((points >= -0.5) & (points <= np.array(limits) - 0.5)).all(-1).mean()
        for limits in (size, size[::-1])
    ]
    return float(1 - max(inside))
