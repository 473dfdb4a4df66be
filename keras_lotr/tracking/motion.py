"""How a head moves between two crops, as the image shows it: optical flow, and a smooth map.

What a network says of one image and the next differs by its noise as well as by the motion. The
image itself knows the motion better: around each landmark, the flow of Lucas and Kanade (1981) is
looked for. A single one of these may be wrong, where something else is behind the chin, or where an
eyelid comes down over the eye. So all together say one smooth motion, that of the head.
"""

import cv2
import numpy as np

_WINDOW = 0.16  # of the crop's side, around each landmark
_STOP = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, 0.01)
_FAR = 0.025  # of the side: a flow so far from the network's is hardly believed at first
_OUTLIER = 0.005  # of the side: one so far from the smooth motion is hardly believed
_UNSURE = 0.02  # sides a second: half of so small a change of the velocity is believed


def flow(before, after, points, expected):
    """Where the image around points has gone.

    Args:
        before, after: (S, S) uint8 grey crops.
        points: (N, 2) pixels of the crop before.
        expected: (N, 2) pixels of the crop after, where they should be about.

    Returns:
        (N, 2) float64; what is expected where the image does not say it.

    Example:

    >>> dots = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    >>> before = cv2.resize(dots, (96, 96), interpolation=cv2.INTER_CUBIC)
    >>> points = np.array([[40.0, 48.0], [60.0, 30.0]])
    >>> flow(before, np.roll(before, 2, axis=1), points, points).round(1).tolist()
    [[42.0, 48.0], [62.0, 30.0]]
    """
    window = round(_WINDOW * len(after)) | 1
    start, guess = (np.array(p, np.float32).reshape(-1, 1, 2) for p in (points, expected))
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        *(before, after, start, guess),
        winSize=(window, window),
        maxLevel=0,  # `expected` is near
        criteria=_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    moved = moved[:, 0].astype(np.float64)
    known = (found[:, 0] > 0) & np.isfinite(moved).all(1)
    return np.where(known[:, None], moved, expected)


def smooth_motion(points, moved, expected, side):
    """The smooth map, quadratic in the place, that moves points as most of the flow says.

    Args:
        points: (N, 2) pixels of the crop, where they were before.
        moved: (N, 2) pixels of the crop, of `flow`.
        expected: (N, 2) pixels of the crop, as the network says; the flow at points where it says
            something else counts little in the first of three steps.
        side: of the crop, in pixels.

    Returns:
        (6, 2) factors of the `quadratic_terms`, which give the pixels that a place moves by.

    Example:

    >>> points = np.array([[0, 0], [0, 50], [0, 99], [50, 0], [50, 50], [99, 0], [99, 99]])
    >>> factors = smooth_motion(points, points + [2, 1], points, side=100)
    >>> (quadratic_terms(points[:2], side=100) @ factors).round(6).tolist()
    [[2.0, 1.0], [2.0, 1.0]]
    """
    terms, shift = quadratic_terms(points, side), moved - points
    weights = np.exp(-((np.linalg.norm(moved - expected, axis=1) / (_FAR * side)) ** 2)) + 1e-3
    for _ in range(3):
        weighted = terms.T * weights
        # A little pulls to no bending, where few landmarks say nothing of it.
        normal = weighted @ terms + np.diag([1e-9, 1e-6, 1e-6, 1e-4, 1e-4, 1e-4])
        factors = np.linalg.solve(normal, weighted @ shift)
        apart = np.linalg.norm(shift - terms @ factors, axis=1) / (_OUTLIER * side)
        weights = 1 / (1 + apart**2) ** 2
    return factors


def quadratic_terms(points, side):
    """(N, 6) what a map that is quadratic in the place is made of, at (N, 2) pixels of a crop."""
    x, y = (points / side - 0.5).T
    return np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])


class SteadyMotion:
    """The motion of a head without the noise of the flow, which would make a still face tremble.

    A small change of the velocity is mostly noise, and a large one is the head's: the velocity
    follows changes of r sides a second by the share r^2 / (r^2 + 0.02^2).

    Call arguments:
        points, moved, expected, side: see `smooth_motion`.
        elapsed: seconds since the frame before.

    Returns:
        (N, 2) pixels of the crop, where the head has moved the points to.

    Example:

    >>> points = np.array([[0, 0], [0, 50], [0, 99], [50, 0], [50, 50], [99, 0], [99, 99]])
    >>> motion = SteadyMotion()
    >>> for moved in (points + 0.01, points + 2.0):
    ...     print((motion(points, moved, moved, 100, 0.04) - points)[0].round(2).tolist())
    [0.0, 0.0]
    [2.0, 2.0]
    """

    def __init__(self):
        self._velocity = 0.0

    def __call__(self, points, moved, expected, side, elapsed):
        terms = quadratic_terms(points, side)
        change = smooth_motion(points, moved, expected, side) / elapsed - self._velocity
        squared = ((terms @ change / side) ** 2).sum(1).mean()
        self._velocity = self._velocity + squared / (squared + _UNSURE**2) * change
        return points + terms @ self._velocity * elapsed
