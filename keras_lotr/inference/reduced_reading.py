"""Large photos, read smaller where only large faces are asked for.

A JPEG file can be decoded at a half, a quarter or an eighth of its size, which spares most of the
arithmetic. With the detector's `min_face_size` it is known how small that may be: the smallest face
is to have as many pixels as the landmark network sees of it.
"""

from dataclasses import replace

import numpy as np

from keras_lotr import geometry
from keras_lotr.images.reading import read_image

_DIVISORS = (8, 4, 2)


def read_for_faces(source, min_face_size, preprocessor):
    """Read an image, smaller if its smallest faces keep all pixels that the network sees.

    Args:
        source: as of `read_image`.
        min_face_size: of the detector: pixels of the photo, or below 1 a part of its shorter side;
            None: the image is read as it is.
        preprocessor: `Preprocessor` of the landmark network.

    Returns:
        (H, W, 3) uint8 RGB, and the divisor: 1, or how many times smaller it is than the photo.
    """
    chosen = [1]

    def divisor_of(size):
        smallest = min_face_size if min_face_size >= 1 else min_face_size * min(size)
        needed = preprocessor.image_size / preprocessor.margin
        if smallest <= min(size):  # the detector refuses a smaller image
            fitting = [n for n in _DIVISORS if not any(side % n for side in size)]
            chosen[0] = next((n for n in fitting if smallest / n >= needed), 1)
        return chosen[0]

    image = read_image(source, None if min_face_size is None else divisor_of)
    return image, chosen[0]


def image_from_reduced(divisor):
    """The matrix (2, 3) from pixels of the smaller copy to those of the photo.

    Each pixel of the copy is made of `divisor` times `divisor` pixels of the photo.

    Example:

    >>> geometry.apply(image_from_reduced(4), [[0.0, 1.0]]).tolist()
    [[1.5, 5.5]]
    """
    return geometry.similarity((0, 0), ((divisor - 1) / 2,) * 2, divisor)


def face_in_image(face, matrix):
    """A `Face` of the smaller copy, in pixels of the photo; `matrix`: `image_from_reduced`."""
    corners = geometry.apply(matrix, face.box.reshape(2, 2)).astype(np.float32)
    face = replace(face, box=corners.ravel())
    if face.five_points is None:
        return face
    return replace(face, five_points=geometry.apply(matrix, face.five_points).astype(np.float32))
