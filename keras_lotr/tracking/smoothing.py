"""Landmarks that do not tremble and do not lag: One-Euro filters that move with the head.

A filter in image pixels cannot tell a head that moves from a network that trembles. So the filter
is moved as the head moves, which the image shows (`keras_lotr.tracking.motion`), and what it
smooths is the rest. The filter is that of Casiez et al., 1 Euro Filter, CHI 2012: the faster
something moves, the less it is smoothed. How fast a landmark must move for that is learned from
how it trembles, and at first from how sure the network is of it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from keras_lotr import geometry
from keras_lotr.inference.certainty import expected_error
from keras_lotr.tracking.motion import SteadyMotion, flow

# The speed by which a filter opens is itself smoothed, with this cut-off in Hz.
_SPEED_CUTOFF = 5.0
# The error of a landmark, in sides of the crop, of a model that does not say how sure it is.
_USUAL_ERROR = 0.012
# A landmark's trembling is the mean of the last second, and at first so many expected errors a
# second. More than 1.5 times of what is usual is a motion, such as a blink, and counts as that.
# A tenth of what it was at first stays, so that a picture that stood still can tremble again.
_TREMBLING_TIME, _FIRST_TREMBLING, _MOST_TREMBLING, _LEAST_TREMBLING = 1.0, 2.0, 1.5, 0.1


@dataclass(frozen=True)
class Strength:
    """How strongly is smoothed: for what is at rest, and how fast a motion opens the filter.

    Attributes:
        cutoff: in Hz, of landmarks that are at rest on the head.
        beta: Hz that the cut-off rises by, for a speed of one side of the crop a second.
        limit: in Hz, the highest cut-off.
        noise: speed that is taken for noise, in multiples of a landmark's usual change of speed.
    """

    cutoff: float
    beta: float
    limit: float
    noise: float


# Chosen on the clips of two of the four people of tools/face_videos.py.
STRENGTHS = {
    "off": None,
    "light": Strength(cutoff=0.7, beta=300.0, limit=8.0, noise=3.0),
    "strong": Strength(cutoff=0.3, beta=300.0, limit=4.0, noise=5.0),
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

    Call arguments:
        value: (..., D) array.
        timestamp: in seconds, later than that of the call before.

    Returns:
        (..., D) float64, the smoothed value; at the first call the value itself.

    Example:

    >>> still = OneEuro(cutoff=1.0, beta=0.0)
    >>> still(np.zeros((1, 2)), 0.0).tolist(), still(np.ones((1, 2)), 0.04).round(3).tolist()
    ([[0.0, 0.0]], [[0.201, 0.201]])
    """

    def __init__(self, cutoff, beta):
        self._cutoff, self._beta = cutoff, beta
        self.value = self.raw = None

    def __call__(self, value, timestamp):
        value = np.asarray(value, np.float64)
        if self.value is None:
            self.value, self._speed = value, np.zeros_like(value)
        else:
            elapsed = timestamp - self._time
            speed = (value - self.raw) / elapsed
            self._speed = _mixed(self._speed, speed, _SPEED_CUTOFF, elapsed)
            self.value = self._next(value, elapsed, speed)
        self.raw, self._time = value, timestamp
        return self.value

    def _next(self, value, elapsed, speed):
        fast = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        return _mixed(self.value, value, self._cutoff + self._beta * fast, elapsed)


class LandmarkFilter(OneEuro):
    """A One-Euro filter that learns how landmarks tremble, and opens for what is faster than that.

    What moves faster is also carried on at the speed by which it is faster, so that it comes in
    time although the cut-off is limited.

    Args:
        strength: `Strength`; a unit is the side of the crop.
        error: (N, 1) expected errors of the first landmarks.
    """

    def __init__(self, strength, error):
        super().__init__(strength.cutoff, strength.beta)
        self._limit, self._noise = strength.limit, strength.noise
        self._trembling = _FIRST_TREMBLING * error
        self._least = _LEAST_TREMBLING * self._trembling

    def move(self, by):
        """Move what was seen so far by (N, 2), so that this motion is not smoothed."""
        self.value, self.raw = self.value + by, self.raw + by

    def _next(self, value, elapsed, speed):
        change = np.linalg.norm(speed - self._speed, axis=-1, keepdims=True)
        speed = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        fast = np.maximum(speed - self._noise * self._trembling, 0)
        usual = np.minimum(change, _MOST_TREMBLING * self._trembling)
        share = 1 - np.exp(-elapsed / _TREMBLING_TIME)
        trembling = self._trembling + share * (usual - self._trembling)
        self._trembling = np.maximum(trembling, self._least)
        ahead = self.value + elapsed * self._speed * fast / np.maximum(speed, 1e-9)
        cutoff = np.minimum(self._cutoff + self._beta * fast, self._limit)
        return _mixed(ahead, value, cutoff, elapsed)


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
        self._strength, self._filter = strength, None

    def __call__(self, points, crop, crop_from_image, timestamp, sigma=None):
        grey, side = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), len(crop)
        points = geometry.apply(crop_from_image, points)
        # Filters count in sides of the crop; in it a face has always the same size.
        if self._filter is None:
            error = _USUAL_ERROR
            if sigma is not None:
                scale = np.sqrt(abs(np.linalg.det(crop_from_image[:, :2])))
                error = (expected_error(sigma) * scale / side)[:, None]
            self._filter, self._motion = LandmarkFilter(self._strength, error), SteadyMotion()
        else:
            smoothed = side * self._filter.value
            expected = smoothed + points - side * self._filter.raw
            flowed = flow(self._grey, grey, smoothed, expected)
            # Where the landmarks would be if the head had not moved in the image.
            still = geometry.apply(crop_from_image, geometry.apply(self._image_from_crop, smoothed))
            moved = self._motion(still, flowed, expected, side, timestamp - self._time)
            self._filter.move((moved - smoothed) / side)
        self._grey, self._time = grey, timestamp
        self._image_from_crop = geometry.invert(crop_from_image)
        return geometry.apply(self._image_from_crop, side * self._filter(points / side, timestamp))
