"""Landmarks that do not tremble and do not lag: One-Euro filters in the face's own frame.

A filter in image pixels cannot tell a head that moves from a network that trembles. So landmarks
are taken apart into the head's similarity (where, how large, how far turned) and the landmarks on
the head, and each part is filtered for itself. The filter is that of Casiez et al., 1 Euro Filter,
CHI 2012: the faster something moves, the less it is smoothed.
"""

from dataclasses import dataclass

import numpy as np

from keras_lotr import geometry

# The speed by which a filter opens is itself smoothed, with this cut-off in Hz.
_SPEED_CUTOFF = 4.0


@dataclass(frozen=True)
class Strength:
    """How strongly is smoothed: for what is at rest, and how fast a motion opens the filter.

    Attributes:
        head, points: cut-off in Hz of a head, and of landmarks on it, that are at rest.
        head_beta, points_beta: Hz that the cut-off rises by, for a speed of one face a second.
    """

    head: float
    head_beta: float
    points: float
    points_beta: float


# Chosen on rendered clips (tools/face_videos.py): "light" adds less than a fifth of a frame of lag
# and keeps 96 % of the depth of a blink; "strong" two fifths, and 86 %.
STRENGTHS = {
    "off": None,
    "light": Strength(head=1.0, head_beta=40.0, points=1.0, points_beta=40.0),
    "strong": Strength(head=0.8, head_beta=15.0, points=0.6, points_beta=15.0),
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
        self._value = None

    def __call__(self, value, timestamp):
        """The smoothed value.

        Args:
            value: (..., D) array.
            timestamp: in seconds, later than that of the call before. The first value stays as it
                is.
        """
        value = np.asarray(value, np.float64)
        if self._value is None:
            self._value, self._raw, self._speed = value, value, np.zeros_like(value)
        else:
            elapsed = timestamp - self._time
            speed = (value - self._raw) / elapsed
            self._speed = _mixed(self._speed, speed, _SPEED_CUTOFF, elapsed)
            fast = np.linalg.norm(self._speed, axis=-1, keepdims=True)
            cutoff = self._cutoff + self._beta * fast
            self._value, self._raw = _mixed(self._value, value, cutoff, elapsed), value
        self._time = timestamp
        return self._value


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
        timestamp: in seconds, later than that of the call before.

    Returns:
        (N, 2) float64, image pixels; at the first call the points themselves.

    Example:

    >>> smooth = FaceSmoother(strength_of("light"))
    >>> points = np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 10.0]])
    >>> bool(np.allclose(smooth(points, 0.0), points))
    True
    """

    def __init__(self, strength):
        self._strength = strength
        self._place = OneEuro(strength.head, strength.head_beta)
        self._turn = OneEuro(strength.head, strength.head_beta)
        self._points = OneEuro(strength.points, strength.points_beta)
        self._shape = None

    def __call__(self, points, timestamp):
        points = np.asarray(points, np.float64)
        if self._shape is None:
            self._begin(points)
        image_from_face = geometry.fit_similarity(self._shape, points)
        on_face = geometry.apply(geometry.invert(image_from_face), points)
        on_face = self._points(on_face, timestamp)
        # In sizes of the face, as the filter's settings are.
        place = self._place(image_from_face[:, 2] / self._size, timestamp) * self._size
        turn = complex(*image_from_face[:, 0]) / self._factor
        angle = self._angle + np.angle(turn * np.exp(-1j * self._angle))  # no jump at 180 degrees
        self._angle = angle
        log_scale, angle = self._turn(np.array([np.log(abs(turn)), angle]), timestamp)
        factor = self._factor * np.exp(log_scale + 1j * angle)
        linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
        return geometry.apply(np.column_stack([linear, place]), on_face)

    def _begin(self, points):
        """The face's own frame: its centre at 0, and its size 1."""
        self._size = max(1e-3, float(np.ptp(points, axis=0).max()))
        self._shape = (points - points.mean(0)) / self._size
        self._factor, self._angle = self._size, 0.0
