"""The faces of an image, enlarged and numbered."""

from dataclasses import replace

import numpy as np

from keras_lotr import geometry
from keras_lotr.images.drawing import draw, write_number

MAX_FACES = 24
_SIDE, _MARGIN = 360, 1.35  # pixels; sides of the face's box


def close_ups(image, faces, overlays):
    """Each face upright and enlarged, with its landmarks.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: list of `FaceLandmarks`.
        overlays: arguments of `draw`.

    Returns:
        list of pairs (360, 360, 3) uint8 RGB and the number of the face, from 1, as text; of 24
        faces at most.
    """
    found = []
    for number, face in enumerate(faces[:MAX_FACES], start=1):
        crop_from_image = geometry.crop_from_box(face.box, _SIDE, _MARGIN, face.degrees)
        crop = geometry.warp(image, crop_from_image, _SIDE)
        found.append((draw(crop, [_moved(face, crop_from_image)], **overlays), str(number)))
    return found


def _moved(face, crop_from_image):
    """The face in the pixels of its crop, in which it is upright."""
    corners = geometry.apply(crop_from_image, np.reshape(face.box, (2, 2)))
    turn = crop_from_image[:, :2]
    return replace(
        face,
        points=geometry.apply(crop_from_image, face.points),
        box=[*corners.min(0), *corners.max(0)],
        degrees=0.0,
        sigma=None if face.sigma is None else turn @ face.sigma @ turn.T,
    )


def number_faces(image, faces):
    """Write the number of each face beside its box, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: list of `FaceLandmarks`; nothing is written for a single one.
    """
    scale = max(0.5, max(image.shape[:2]) / 1000)
    for number, face in enumerate(faces if len(faces) > 1 else (), start=1):
        write_number(image, face, number, scale, 4)
