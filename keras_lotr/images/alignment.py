"""Aligned crops of faces, as networks that recognise, swap or judge faces take them."""

import math

import numpy as np

from keras_lotr import geometry
from keras_lotr.images.reading import read_image
from keras_lotr.number_checks import real, whole
from keras_lotr.sentences import list_of_faces

# Where ArcFace (Deng et al., CVPR 2019) has the five points of a face in a crop of 112 pixels:
# pixels with integers as centres. Nearly all networks that recognise faces are trained with them.
ARCFACE_SIZE = 112
ARCFACE_POINTS = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
_LARGEST = 8192


def align(image, faces, size=112, zoom=1.0):
    """Cut faces out of an image, upright and of one size, with eyes, nose and mouth in one place.

    A similarity brings the five points of a face as near as it can to where they are in the crops
    of ArcFace (Deng et al., CVPR 2019), which InsightFace calls `norm_crop`. What lies outside the
    image is black.

    Args:
        image: as `read_image` takes it, such as a path or an RGB array.
        faces: list of `FaceLandmarks` of that image, or of `Face` from a detector with five points;
            or a single one.
        size: side of the crops in pixels.
        zoom: above 1 the face is larger than in ArcFace's crops; below 1 more of its surroundings
            is seen.

    Returns:
        (F, size, size, 3) uint8 RGB; (size, size, 3) for a single face. Many networks take BGR:
        `crops[..., ::-1]`.

    Raises:
        OSError, ValueError: as of `read_image`; faces without five points, or with such as are not
            finite; a size or zoom that cannot be.
        TypeError: the faces are something else, such as arrays of points.

    Example:

    >>> import keras_lotr
    >>> landmarker = keras_lotr.FaceLandmarker("lotr_m_68")
    >>> align("examples/group.jpg", landmarker("examples/group.jpg")).shape
    (7, 112, 112, 3)
    """
    _check_numbers(size, zoom)
    image = read_image(image)
    crops = np.zeros((0, size, size, 3), np.uint8)
    found = list_of_faces(faces, needs="five_points")
    if found:
        matrices = [_crop_from_image(face, size, zoom) for face in found]
        crops = np.stack([geometry.warp(image, matrix, size) for matrix in matrices])
    return crops[0] if hasattr(faces, "five_points") else crops


def _check_numbers(size, zoom):
    if not 1 <= (whole(size) or 0) <= _LARGEST:
        raise ValueError(f"Expected size as 1 to {_LARGEST} whole pixels. Received: {size!r}")
    if not 0 < (real(zoom) or 0) < math.inf:
        raise ValueError(f"Expected a zoom above 0, 1 as in ArcFace's crops. Received: {zoom!r}")


def _crop_from_image(face, size, zoom):
    """The similarity (2, 3) that aligns a face."""
    if face.five_points is None:
        raise ValueError(
            "Expected a face with five points to align it by: eyes, nose tip and mouth corners. "
            f"Received: {face!r}"
        )
    unit = (np.array(ARCFACE_POINTS) + 0.5) / ARCFACE_SIZE
    return geometry.crop_from_five(face.five_points, 0.5 + zoom * (unit - 0.5), size)
