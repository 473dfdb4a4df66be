"""From what a network says of its error to image pixels: scale matrices, ellipses, a quality.

A landmark's error follows a bivariate Student t distribution with `FREEDOM` degrees of freedom,
because errors have heavier tails than a Gaussian's, and its scale matrix is L L^T of the triangle
that the network predicts. The square of the Mahalanobis distance d of the true landmark is below

    radius(p)^2 = FREEDOM * ((1 - p)^(-2 / FREEDOM) - 1)

with probability p, and the network is calibrated so that this holds for p = 0.9.
"""

import numbers

import numpy as np

FREEDOM = 8.0
LEVEL = 0.9  # of the true landmarks, how many lie in the ellipses that are calibrated and drawn

# A landmark counts as right within this part of the face's size in `quality`.
CLOSE = 0.05


def scale_matrices(triangles, image_from_crop=None):
    """The scale matrix of each landmark's error.

    Args:
        triangles: (..., 3): a, b and c of L = [[a, 0], [b, c]].
        image_from_crop: (2, 3) similarity to other pixels; None stays in the crop's.

    Returns:
        (..., 2, 2) float64, squared pixels; symmetric and positive definite.

    Example:

    >>> scale_matrices([3.0, 0.0, 2.0]).tolist()
    [[9.0, 0.0], [0.0, 4.0]]
    """
    a, b, c = np.moveaxis(np.asarray(triangles, np.float64), -1, 0)
    triangle = np.stack([np.stack([a, 0 * a], -1), np.stack([b, c], -1)], -2)
    if image_from_crop is not None:
        triangle = image_from_crop[:, :2] @ triangle
    return triangle @ np.swapaxes(triangle, -1, -2)


def three_numbers(sigma):
    """xx, xy and yy (..., 3) of scale matrices (..., 2, 2), which are symmetric.

    Example:

    >>> three_numbers(np.array([[9.0, 1.0], [1.0, 4.0]])).tolist()
    [9.0, 1.0, 4.0]
    """
    return np.stack([sigma[..., 0, 0], sigma[..., 0, 1], sigma[..., 1, 1]], -1)


def radius(level):
    """The Mahalanobis distance within which the true landmark lies with a probability.

    Args:
        level: 0 <= level < 1.

    Raises:
        ValueError: another level.

    Example:

    >>> round(radius(0.9), 3)
    2.495
    """
    if not isinstance(level, numbers.Real) or not 0 <= level < 1:
        raise ValueError(f"Expected a level 0 <= level < 1, such as 0.9. Received: {level!r}")
    return float(np.sqrt(FREEDOM * ((1 - level) ** (-2 / FREEDOM) - 1)))


def ellipses(sigma, level=LEVEL):
    """The ellipses that contain the true landmarks with a probability.

    Args:
        sigma: (..., 2, 2) scale matrices.
        level: the probability.

    Returns:
        (..., 3) float64: half of the long axis, half of the short axis, in pixels, and the
        direction of the long axis in degrees from x towards y, in (-90, 90].

    Example:

    >>> ellipses(np.diag([4.0, 1.0]), 0.9).round(2).tolist()
    [4.99, 2.5, 0.0]
    """
    lengths, axes = np.linalg.eigh(np.asarray(sigma, np.float64))
    halves = radius(level) * np.sqrt(np.maximum(lengths, 0))
    degrees = np.degrees(np.arctan2(axes[..., 1, 1], axes[..., 0, 1]))
    degrees = 90 - (90 - degrees) % 180  # an axis has no head
    return np.stack([halves[..., 1], halves[..., 0], degrees], -1)


def distances(errors, triangles):
    """Mahalanobis distances of errors, by which `radius` is exceeded or not.

    Args:
        errors: (..., 2) true minus predicted landmarks; NaN stays NaN.
        triangles: (..., 3), see `scale_matrices`.

    Returns:
        (...).

    Example:

    >>> distances([3.0, 4.0], [1.0, 0.0, 1.0]).item()
    5.0
    """
    errors, triangles = np.asarray(errors, np.float64), np.asarray(triangles, np.float64)
    first = errors[..., 0] / triangles[..., 0]
    second = (errors[..., 1] - triangles[..., 1] * first) / triangles[..., 2]
    return np.hypot(first, second)


def expected_error(sigma):
    """The typical distance of a landmark from the truth, in pixels: (..., 2, 2) -> (...)."""
    return np.sqrt(np.trace(sigma, axis1=-2, axis2=-1))


def quality(sigma, points):
    """The share of a face's landmarks that are expected to be right.

    Args:
        sigma: (N, 2, 2) scale matrices, pixels.
        points: (N, 2) landmarks, the same pixels.

    Returns:
        float, 0..1: the mean probability that a landmark lies within 5 % of the face's size, the
        longer side of the box around its landmarks, from the truth. Landmarks that are NaN do not
        count; 0 if all are.

    Example:

    >>> points = np.array([[0.0, 0.0], [100.0, 50.0]])
    >>> round(quality(np.tile(np.eye(2), (2, 1, 1)), points), 2)
    1.0
    >>> round(quality(np.tile(400 * np.eye(2), (2, 1, 1)), points), 2)
    0.03
    """
    known = np.isfinite(points).all(-1)
    if not known.any():
        return 0.0
    size = np.ptp(np.asarray(points, np.float64)[known], axis=0).max()
    close = 2 * (CLOSE * size / expected_error(sigma[known])) ** 2  # d^2 of a circle of that size
    return float(np.mean(1 - (1 + close / FREEDOM) ** (-FREEDOM / 2)))
