"""Landmarks that do not tremble and do not lag: One-Euro filters that move with the head.

A filter in image pixels cannot tell a head that moves from a network that trembles. So the filter
is moved as the head moves, which the image shows (`keras_lotr.tracking.motion`), and what it
smooths is the rest. The filter is that of Casiez et al., 1 Euro Filter, CHI 2012: the faster
something moves, the less it is smoothed. Landmarks of which the network is less sure must move
faster to be smoothed less.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from keras_lotr import geometry
from keras_lotr.inference.certainty import expected_error
from keras_lotr.tracking.motion import flow, smooth_motion

# The speed by which a filter opens is itself smoothed, with this cut-off in Hz.
_SPEED_CUTOFF = 4.0
# The error of a landmark, in sides of the crop, of a model that does not say how sure it is.
_USUAL_ERROR = 0.012


@dataclass(frozen=True)
class Strength:
    """How strongly is smoothed: for what is at rest, and how fast a motion opens the filter.

    Attributes:
        cutoff: in Hz, of landmarks that are at rest on the head.
        beta: Hz that the cut-off rises by, for a speed of one side of the crop a second.
        noise: speed that is taken for noise, in expected errors a second.
    """

    cutoff: float
    beta: float
    noise: float


# Chosen on the clips of two of the four people of tools/face_videos.py.
STRENGTHS = {
    "off": None,
    "light": Strength(cutoff=1.0, beta=40.0, noise=6.0),
    "strong": Strength(cutoff=0.5, beta=20.0, noise=6.0),
}


def strength_of(smooth):
    """The `Strength` of "off", "light" or "strong"; None for "off".

    Raises:
        ValueError: another word.
    """
    if smooth not in STRENGTHS:
        raise ValueError(f"Expected smooth, one of {', '.join(STRENGTHS)}. Received: {smooth!r}")
    return STRENGTHS[smooth]


class OneEuro:
    """The filter, for an array of vectors of which each has a speed of its own.

    Args:
        cutoff: in Hz, of what is at rest.
        beta: Hz that the cut-off rises by for a speed of one unit a second.

    Example:

    >>> still = OneEuro(cutoff=1.0, beta=0.0)
    >>> still(np.zeros((1, 2)), 0.0).tolist(), still(np.ones((1, 2)), 0.04).round(3).tolist()
    ([[0.0, 0.0]], [[0.201, 0.201]])
    """

    def __init__(self, cutoff, beta):
        self._cutoff, self._beta = cutoff, beta
        self.value = self.raw = None

    def move(self, motion):
        """Move what was seen so far by a function, so that this motion is not smoothed."""
        self.value, self.raw = motion(self.value), motion(self.raw)

    def __call__(self, value, timestamp, noise=0.0):
        """The smoothed value.

        Args:
            value: (..., D) array.
            timestamp: in seconds, later than that of the call before. The first value stays as it
                is.
            noise: (..., 1) speed that does not open the filter.
        """
        value = np.asarray(value, np.float64)
        if self.value is None:
            self.value, self._speed = value, np.zeros_like(value)
        else:
            elapsed = timestamp - self._time
            speed = (value - self.raw) / elapsed
            self._speed = _mixed(self._speed, speed, _SPEED_CUTOFF, elapsed)
            fast = np.linalg.norm(self._speed, axis=-1, keepdims=True) - noise
            cutoff = self._cutoff + self._beta * np.maximum(fast, 0)
            self.value = _mixed(self.value, value, cutoff, elapsed)
        self.raw, self._time = value, timestamp
        return self.value


def _mixed(old, new, cutoff, elapsed):
    """An exponential mean with this cut-off."""
    share = 1 / (1 + 1 / (2 * np.pi * cutoff * elapsed))
    return old + share * (new - old)


class FaceSmoother:
    """Smooths the landmarks of one face.

    Args:
        strength: `Strength`.

    Call arguments:
        points: (N, 2) image pixels.
        crop: (S, S, 3) uint8, the image around the face.
        crop_from_image: (2, 3), where the crop is.
        timestamp: in seconds, later than that of the call before.
        sigma: (N, 2, 2) how sure the landmarks are, see `FaceLandmarks`; None: not known.

    Returns:
        (N, 2) float64, image pixels; at the first call the points themselves.

    Example:

    >>> smooth = FaceSmoother(strength_of("light"))
    >>> points, crop = np.array([[9.0, 9.0], [20.0, 9.0]]), np.zeros((32, 32, 3), np.uint8)
    >>> smooth(points, crop, np.eye(2, 3), timestamp=0.0).round(6).tolist()
    [[9.0, 9.0], [20.0, 9.0]]
    """

    def __init__(self, strength):
        self._filter, self._noise = OneEuro(strength.cutoff, strength.beta), strength.noise
        self._grey = None

    def __call__(self, points, crop, crop_from_image, timestamp, sigma=None):
        grey, side = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), len(crop)
        points = geometry.apply(crop_from_image, points)
        if self._grey is not None:
            # Filters count in sides of the crop; in it a face has always the same size.
            seen, smoothed = side * self._filter.raw, side * self._filter.value
            expected = smoothed + points - seen
            moved = flow(self._grey, grey, smoothed, expected)
            motion = smooth_motion(smoothed, moved, expected, side)
            self._filter.move(lambda at: motion(side * at) / side)
        error = _USUAL_ERROR
        if sigma is not None:
            scale = np.sqrt(abs(np.linalg.det(crop_from_image[:, :2])))
            error = (expected_error(sigma) * scale / side)[:, None]
        self._grey = grey
        smoothed = side * self._filter(points / side, timestamp, self._noise * error)
        return geometry.apply(geometry.invert(crop_from_image), smoothed)
