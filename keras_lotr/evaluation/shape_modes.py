"""How many of a face's shape modes a model has learned, which the NME does not tell.

A model that has learned where a face is, how large and how far turned, but not its shape, already
has a fair NME. The slope of predicted on true coefficient of each principal mode of shape shows
what it knows beyond: 1 for a mode that it has learned, 0 for one that it leaves at the mean.
"""

import numpy as np

_ROUNDS = 3  # of aligning to the mean and taking the mean anew; it moves no further after that


def shape_mode_slopes(truth, predicted, count=10):
    """Regression slope of predicted on true shape-mode coefficient, mode by mode.

    True and predicted shapes are each aligned to the mean true shape by the nearest similarity.
    The modes are the principal components of the aligned true shapes, the one that varies most
    first. Landmarks that no face has are left out, and faces that lack any other.

    Args:
        truth, predicted: (F, N, 2) landmarks of the same F faces, in the same pixels or not; NaN in
            truth where a landmark has no label.
        count: modes wanted; F faces have at most F - 1.

    Returns:
        list of floats, about 1 for a mode that was learned and about 0 for one that was not. Empty
        for fewer than two faces with all landmarks.

    Raises:
        ValueError: if the two are not of the same shape (F, N, 2).

    Example:

    >>> import numpy as np
    >>> truth = np.random.default_rng(0).normal(size=(20, 5, 2))
    >>> [round(slope, 6) for slope in shape_mode_slopes(truth, 3 * truth + 7, count=2)]
    [1.0, 1.0]
    """
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if truth.shape != predicted.shape or truth.ndim != 3 or truth.shape[-1] != 2:
        raise ValueError(
            "Expected true and predicted landmarks of the same shape (F, N, 2). "
            f"Received: {truth.shape} and {predicted.shape}"
        )
    labelled = ~np.isnan(truth).any(-1)
    known = labelled.any(0)
    complete = labelled[:, known].all(1)
    if complete.sum() < 2:
        return []
    truth, predicted = truth[complete][:, known], predicted[complete][:, known]
    truth, predicted = centered(truth), centered(predicted)
    mean = mean_shape(truth, truth[0])
    aligned = _aligned(truth, mean)
    center = aligned.mean(0)
    variations = _as_real(aligned - center)
    modes = np.linalg.svd(variations, full_matrices=False)[2][: min(count, len(truth) - 1)]
    of_truth = variations @ modes.T
    of_predicted = _as_real(_aligned(predicted, mean) - center) @ modes.T
    # The true coefficients have mean 0, so an intercept would not change the slope.
    power = (of_truth**2).sum(0)
    learned = power > 1e-9 * power[0]  # fewer landmarks than faces have fewer modes
    return ((of_truth * of_predicted).sum(0)[learned] / power[learned]).tolist()


def centered(points):
    """(F, N, 2) -> (F, N) complex, around 0: a rotation with scale is then one factor."""
    z = points[..., 0] + 1j * points[..., 1]
    return z - z.mean(1, keepdims=True)


def alignment(shapes, target):
    """The factor (F,) that turns and scales each shape to be nearest to the target.

    Args:
        shapes: (F, N) complex, as of `centered`.
        target: (N,) complex; nearest in least squares (Umeyama 1991).
    """
    power = np.maximum((np.abs(shapes) ** 2).sum(1), np.finfo(float).tiny)
    return (shapes.conj() @ target) / power


def mean_shape(shapes, start):
    """The mean (N,) of shapes (F, N) that are aligned to it, of norm 1 and turned like `start`."""
    mean = start
    for _ in range(_ROUNDS):
        mean = _aligned(shapes, mean).mean(0)
        mean /= np.linalg.norm(mean)
    return mean


def _aligned(shapes, target):
    return shapes * alignment(shapes, target)[:, None]


def _as_real(shapes):
    return np.concatenate([shapes.real, shapes.imag], axis=1)
