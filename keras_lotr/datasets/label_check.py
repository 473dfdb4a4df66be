"""Whether labels belong to an image, as far as its size tells; nothing is decoded."""

import numpy as np

from keras_lotr.images.header import claimed_size, kind_of
from keras_lotr.images.orientation import swaps_sides

_HEAD = 4096  # bytes; the size stands further back only behind long EXIF data


def picture_size(path):
    """(width, height) in pixels as stored; None for a kind of file that is not known."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        return claimed_size(head) or claimed_size(head + file.read())


def check_inside(sample, size):
    """Refuse a face whose labels belong to another image, or are no pixels of it.

    More than half of the landmarks lie outside of the upright image then, or all of them in its
    first pixel, because they are fractions of the image.

    Args:
        sample: `Sample`.
        size: `picture_size` of its image; None, which is not known, fits.

    Raises:
        ValueError: they do, with a hint if they would be inside of the image turned by 90 degrees.
    """
    if _is_in_fractions(sample.points_image[sample.labelled]):
        raise ValueError(
            f"Expected landmarks in pixels of the image, for {sample.where}. Received: landmarks "
            f"in x {_range(sample, 0)}, y {_range(sample, 1)}; these look like fractions of the "
            "image, multiply them by its width and height"
        )
    if size is None:
        return
    fits, fits_turned = (_is_inside(sample.points_image, way) for way in (size, size[::-1]))
    if fits and fits_turned:
        return
    is_turned = (fits or fits_turned) and _is_turned(sample.path)
    if fits_turned if is_turned else fits:
        return
    width, height = size[::-1] if is_turned else size
    received = f"landmarks in x {_range(sample, 0)}, y {_range(sample, 1)}"
    if is_turned:
        raise ValueError(
            f"Expected landmarks in pixels of the upright image, which has {width} x {height} "
            f"pixels after its EXIF orientation is applied, for {sample.where}. Received: "
            f"{received}, inside of the image as stored: turn the labels, or remove the "
            "orientation from the file"
        )
    hint = ", which would be inside if it were turned by 90 degrees" if fits_turned else ""
    raise ValueError(
        f"Expected landmarks inside the image, which has {width} x {height} pixels, for "
        f"{sample.where}. Received: {received}{hint}"
    )


def share_outside(points_image, size):
    """The part of the labelled landmarks that lie outside of an image.

    Args:
        points_image: (N, 2) image pixels, NaN where a landmark has no label; not all.
        size: width and height of the image.

    Returns:
        float, 0 to 1.

    Example:

    >>> share_outside([[0, 0], [63, 31], [64, 10], [10, -0.6]], (64, 32))
    0.5
    """
    points = np.asarray(points_image)
    points = points[~np.isnan(points).any(-1)]
    inside = (points >= -0.5) & (points <= np.array(size) - 0.5)
    return float(1 - inside.all(-1).mean())


def _is_inside(points_image, size):
    return share_outside(points_image, size) <= 0.5


def _is_in_fractions(points):
    """Whether labelled landmarks, which are more than two, lie within 0 and 1, apart."""
    apart = len(points) > 2 and (np.ptp(points, axis=0) > 0).all()
    return bool(apart and points.min() >= 0 and points.max() <= 1)


def _is_turned(path):
    """Whether EXIF or the like swaps the image's width and height."""
    with open(path, "rb") as file:
        data = file.read(_HEAD)
        # EXIF stands before the size in JPEG, anywhere in other files.
        if kind_of(data) != "JPEG" or claimed_size(data) is None:
            data += file.read()
    return swaps_sides(data)


def _range(sample, axis):
    values = sample.points_image[sample.labelled, axis]
    digits = 3 if values.max() <= 1 else 1
    return f"{values.min():.{digits}f} .. {values.max():.{digits}f}"
