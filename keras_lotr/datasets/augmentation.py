"""Random versions of a face: one warp moves image and points together, then colours change."""

from dataclasses import dataclass

import cv2
import numpy as np

from keras_lotr import geometry
from keras_lotr.number_checks import real
from keras_lotr.schemes import get_scheme

# Of what is no chance; far beyond what makes sense, and what NumPy can draw from.
_MOST = {"rotation": 180, "scale": 10, "shift": 10, "color": 10}


@dataclass(frozen=True)
class Augmentation:
    """How far the random versions go. Each number is a range or a chance; 0 switches it off.

    Attributes:
        rotation: degrees to either side.
        scale: the face is larger or smaller by up to this factor, 0.15 means 0.87 .. 1.15.
        shift: of the crop's centre, in sides of the crop, to each side.
        flip: chance of a mirrored face, with the scheme's permutation.
        color: brightness, contrast and channel gains change by up to this part.
        gray: chance of an image without colour.
        blur: chance of a blurred, coarse or noisy image.
        cutout: chance of a rectangle of one colour or of noise somewhere on the face.

    Raises:
        ValueError: a number is below 0 or too large.

    Example:

    >>> Augmentation(flip=7)
    Traceback (most recent call last):
    ValueError: Expected flip of an augmentation as a number from 0 to 1. Received: 7
    """

    rotation: float = 30.0
    scale: float = 0.15
    shift: float = 0.06
    flip: float = 0.5
    color: float = 0.35
    gray: float = 0.1
    blur: float = 0.2
    cutout: float = 0.3

    def __post_init__(self):
        for name, value in vars(self).items():
            most = _MOST.get(name, 1)
            if real(value) is None or not 0 <= value <= most:
                raise ValueError(
                    f"Expected {name} of an augmentation as a number from 0 to {most}. "
                    f"Received: {value!r}"
                )


def random_crop(image, points_image, box, scheme, size, margin, augmentation, rng):
    """One random crop of a face.

    Args:
        image: (H, W, 3) uint8 photo.
        points_image: (N, 2) image pixels, NaN where a landmark has no label; more columns are what
            else is said of each landmark, such as what it weighs.
        box: (4,) the face's box in image pixels.
        scheme: landmark scheme, for the flip; schemes without a flip order are not mirrored.
        size, margin: of the preprocessor, around which the jitter is drawn.
        augmentation: `Augmentation`.
        rng: `numpy.random.Generator`.

    Returns:
        crop (size, size, 3) uint8, points_crop float32 of the shape of points_image.
    """
    crop_from_image = _random_similarity(box, size, margin, augmentation, rng)
    scheme = get_scheme(scheme)
    mirrored = rng.random() < augmentation.flip and scheme.flip_order is not None
    if mirrored:
        crop_from_image = geometry.compose(
            np.array([[-1.0, 0, size - 1], [0, 1, 0]]), crop_from_image
        )
    points_crop = np.array(points_image, np.float64)
    points_crop[:, :2] = geometry.apply(crop_from_image, points_crop[:, :2])
    if mirrored:
        points_crop = points_crop[list(scheme.flip_order)]
    crop = geometry.warp(image, crop_from_image, size)
    return change_look(crop, augmentation, rng), points_crop.astype(np.float32)


def _random_similarity(box, size, margin, augmentation, rng):
    spread = np.log1p(augmentation.scale)
    zoom = np.exp(rng.uniform(-spread, spread))
    degrees = rng.uniform(-augmentation.rotation, augmentation.rotation)
    shift = rng.uniform(-augmentation.shift, augmentation.shift, 2) * size
    crop_from_image = geometry.crop_from_box(box, size, margin / zoom, degrees)
    return crop_from_image + np.column_stack([np.zeros((2, 2)), shift])


def change_look(crop, augmentation, rng):
    """Colours, grey, blur, noise and a covered part: (S, S, 3) uint8 -> the same shape."""
    if rng.random() < augmentation.cutout:
        size = len(crop)
        cover(crop, size // 10, size / 2.5, rng)
    if augmentation.color:
        crop = change_colors(crop, augmentation.color, rng)
    if rng.random() < augmentation.gray:
        crop = without_color(crop)
    if rng.random() < augmentation.blur:
        crop = _degrade(crop, rng)
    return crop


def without_color(crop):
    """A grey image that still has three channels."""
    return cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def change_colors(crop, amount, rng):
    """Brightness, contrast and a gain for each channel, as one table look-up."""
    contrast = np.exp(rng.uniform(-amount, amount))
    brightness = rng.uniform(-amount, amount) * 128
    gains = np.exp(rng.uniform(-amount, amount, 3) / 3)
    levels = np.arange(256, dtype=np.float32)[:, None]
    table = ((levels - 128) * contrast + 128 + brightness) * gains
    return cv2.LUT(crop, np.clip(table, 0, 255).astype(np.uint8)[None])


def _degrade(crop, rng):
    kind, size = rng.integers(3), crop.shape[0]
    if kind == 0:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, max(0.5, size / 64)))
    if kind == 1:
        small = cv2.resize(crop, None, fx=(f := rng.uniform(0.2, 0.6)), fy=f)
        return cv2.resize(small, (size, size))
    noise = rng.normal(0, rng.uniform(4, 20), crop.shape[:2]).astype(np.float32)[..., None]
    return np.clip(crop + noise, 0, 255).astype(np.uint8)


def cover(crop, smallest, largest, rng):
    """Draw a random rectangle of one colour or of noise into a crop, in place.

    Args:
        crop: (S, S, 3) uint8.
        smallest, largest: of its sides, in pixels.
        rng: `numpy.random.Generator`.

    Returns:
        x0, y0, x1, y1 of the pixels that it covers; the last two are behind it.
    """
    size = len(crop)
    height, width = rng.integers(smallest, largest, 2)
    y, x = rng.integers(0, size - height), rng.integers(0, size - width)
    color = rng.integers(0, 256, 3)
    patch = rng.integers(0, 256, (height, width, 3)) if rng.random() < 0.3 else color
    crop[y : y + height, x : x + width] = patch
    return x, y, x + width, y + height
