"""Where the network looks for a face whose landmarks of the frame before are known."""

import numpy as np

from keras_lotr import geometry
from keras_lotr.tracking.smoothing import OneEuro

# A crop that trembles makes the landmarks tremble, and they the next crop. So it is steadier than
# the landmarks: this cut-off in Hz at rest, and so many Hz more for one side of the face a second.
# On rendered clips the landmarks of such crops have a lower error than those of the detector's.
_CUTOFF, _BETA = 0.5, 5.0


class SteadyCrop:
    """The upright crop around a face that moves.

    Call arguments:
        points: (N, 2) image pixels, where the landmarks are expected.
        degrees: in-plane rotation of the face, clockwise.
        timestamp: in seconds, later than that of the call before.
        preprocessor: `Preprocessor`, how large a crop is and how much is around the landmarks.
        offset: (3,) of `BoxesBeside`.

    Returns:
        (2, 3) `crop_from_image`.
    """

    def __init__(self):
        self._center, self._log_side, self._angle = (OneEuro(_CUTOFF, _BETA) for _ in range(3))
        self._side = self._degrees = None

    def __call__(self, points, degrees, timestamp, preprocessor, offset=(0, 0, 0)):
        center, side = upright_square(points, degrees)
        center, side = center + side * np.asarray(offset[:2]), side * np.exp(offset[2])
        if self._side is None:
            self._side, self._degrees = side, degrees
        self._degrees += (degrees - self._degrees + 180) % 360 - 180  # no jump at 180 degrees
        center = self._center(center / self._side, timestamp) * self._side
        log_side = self._log_side(np.log([side]), timestamp)
        radians = self._angle(np.deg2rad([self._degrees]), timestamp)
        size = preprocessor.image_size
        scale = size / (preprocessor.margin * np.exp(log_side.item()))
        middle = [(size - 1) / 2] * 2
        return geometry.similarity(center, middle, scale, -np.rad2deg(radians.item()))


class BoxesBeside:
    """How the detector's boxes differ from those around the landmarks, on average.

    If landmarks alone say where the next crop is, their error is in the crop too, and the crop's in
    the next landmarks. The detector does not know the landmarks: its boxes end that.

    Attributes:
        offset: (3,) x and y of its centres in sides of the box, and the logarithm of its size.
    """

    _MEMORY = 16  # comparisons

    def __init__(self):
        self.offset, self._count = np.zeros(3), 0

    def compare(self, box, face):
        """Take the (4,) box of the landmarks, and what the detector found of this face."""
        if face.degrees:  # its box is that of the image turned upright
            return
        (center, side), (other, other_side) = (
            ((b[:2] + b[2:]) / 2, max(1.0, float((b[2:] - b[:2]).max()))) for b in (box, face.box)
        )
        found = np.append((other - center) / side, np.log(other_side / side))
        self._count += 1
        self.offset += (found - self.offset) / min(self._count, self._MEMORY)


def upright_square(points, degrees):
    """Centre (2,) and longer side, 1 pixel at least, of the box around landmarks turned upright.

    Example:

    >>> upright_square(np.array([[0, 0], [10, 0], [10, 30], [0, 30]]), degrees=90)
    (array([ 5., 15.]), 30.0)
    """
    upright = geometry.similarity([0, 0], [0, 0], degrees=-degrees)
    box = geometry.box_of(geometry.apply(upright, points))
    center = geometry.apply(geometry.invert(upright), (box[:2] + box[2:]) / 2)
    return center.round(9), max(1.0, float((box[2:] - box[:2]).max()))


def upright_degrees(points, scheme, otherwise=0.0):
    """The in-plane rotation of a face, clockwise: of the line from its eyes to its mouth.

    Args:
        points: (N, 2) image pixels.
        scheme: `LandmarkScheme`.
        otherwise: what to return for a scheme that does not say where eyes and mouth are.

    Example:

    >>> from keras_lotr.schemes import get_scheme
    >>> points = np.zeros((68, 2))
    >>> points[[48, 54]] = [-1, 0]  # the mouth to the left of the eyes
    >>> upright_degrees(points, get_scheme("ibug68"))
    90.0
    """
    if scheme.five_points is None:
        return otherwise
    five = scheme.five(points)
    x, y = five[3:].mean(0) - five[:2].mean(0)
    return float(np.rad2deg(np.arctan2(-x, y)))
